/** The shapes of the HTTP API that this dashboard uses; the words are those of the API. */

export type Scalar = string | number | boolean | null;

export interface Leaf {
  field: string;
  op: Op;
  value: Scalar | Scalar[];
}

export type Op =
  | "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "nin"
  | "contains" | "starts_with" | "ends_with" | "matches" | "exists";

export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | Leaf;

export interface Metric {
  fn: string;
  field?: string;
}

export type Interval = "minute" | "hour" | "day" | "week" | "month";

export interface QueryBody {
  application: string | null;
  from: string;
  to: string;
  time_zone: string;
  interval: Interval | null;
  metrics: Metric[];
  group_by: string[];
  filter: Filter | null;
  limit: number;
  other: boolean;
}

export interface Column {
  name: string;
  type: string;
  unit: string | null;
}

export interface QueryAnswer {
  columns: Column[];
  rows: Scalar[][];
  totals: Scalar[];
  statistics: { elapsed_ms: number; rows_read: number; as_of: string | null };
}

export interface Application {
  id: string;
  name: string;
  collector_id: string;
  created_at: string;
}

export interface Message {
  headers: Record<string, string> | null;
  body: unknown;
  body_encoding: "json" | "text" | "base64" | null;
  bytes: number;
}

export interface ApiEvent {
  id: string;
  application: string;
  time: string;
  received_at: string;
  kind: string;
  source: string;
  direction: string;
  action: string;
  user: string;
  customer: string;
  credential: string;
  request: Message & {
    method: string;
    uri: string;
    host: string;
    path: string;
    route: string;
    query: Record<string, string> | null;
    ip: string;
    api_version: string;
  };
  response: Message & { status: number };
  duration_ms: number;
  metadata: unknown;
  weight: number;
  trace_id: string;
  blocked_by: string;
  tags: string | string[];
  outcome: string;
  subscription: string;
}

export interface EventPage {
  events: ApiEvent[];
  next_cursor: string | null;
}

export interface FieldInfo {
  name: string;
  type: string;
  operators: Op[];
  groupable: boolean;
  map: boolean;
}

/** A function of the query language; older servers list only the names. */
export type FunctionInfo = string | { name: string; field?: boolean | string; description?: string };

export interface FieldsAnswer {
  fields: FieldInfo[];
  functions: FunctionInfo[];
}

export interface ValuesAnswer {
  values: { value: Scalar; count: number }[];
}

export interface Status {
  version: string;
  started_at: string;
  as_of: string | null;
  events_total: number;
  last_event_at: string | null;
  journal: { backlog_entries: number; backlog_bytes: number };
  quarantine: { count: number };
  dropped: Record<string, number>;
  accepting: boolean;
}

export interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  field?: string;
  status?: number;
}
