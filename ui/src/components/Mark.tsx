/** The sign of the house: a barrier, half raised. */
export function Mark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className="tk-mark">
      <rect width="32" height="32" rx="8" fill="#3d43b8" />
      <path d="M9 9.5v14" stroke="#fff" strokeWidth="3.4" strokeLinecap="round" />
      <path d="M9 12.4 24.4 8.6" stroke="#ffc24b" strokeWidth="3.4" strokeLinecap="round" />
      <circle cx="21.5" cy="20.5" r="2.6" fill="#fff" />
    </svg>
  );
}
