import { keepPreviousData, QueryClient, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { apiRange, type Range } from "@/state/range";
import { toApi } from "@/state/filter";
import { ApiError, get, params, request } from "./client";
import type {
  ApiEvent, Application, EventPage, FieldsAnswer, Interval, Leaf, Metric, QueryAnswer, QueryBody, Status, ValuesAnswer,
} from "./types";

/** A refusal is final, a broken line is worth another try. */
export const client = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 2,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
  },
});

export interface Question {
  application: string | null;
  range: Range;
  zone: string;
  interval: Interval | null;
  metrics: Metric[];
  groups: string[];
  leaves: Leaf[];
  limit?: number;
}

export interface Answer extends QueryAnswer {
  /** The range as it was when the question was asked. */
  asked: { from: number; to: number; interval: Interval | null };
}

export function bodyOf(question: Question): QueryBody {
  return {
    application: question.application,
    ...apiRange(question.range),
    time_zone: question.zone,
    interval: question.interval,
    metrics: question.metrics,
    group_by: question.groups,
    filter: toApi(question.leaves),
    limit: question.limit ?? 10,
    other: true,
  };
}

/** Charts ask again about as often as their last bucket visibly changes. */
function refreshMs(range: Range): number | false {
  if (!range.endsNow) return false;
  const minutes = (range.to - range.from) / 60_000;
  return minutes <= 180 ? 10_000 : minutes <= 60 * 48 ? 30_000 : 120_000;
}

const questionKey = (q: Question) => [
  "query", q.application, q.range.text, q.zone, q.interval, q.metrics, q.groups, q.leaves, q.limit ?? 10,
];

export function useAnswer(question: Question, enabled = true) {
  return useQuery({
    queryKey: questionKey(question),
    enabled,
    placeholderData: keepPreviousData,
    refetchInterval: refreshMs(question.range),
    queryFn: async ({ signal }): Promise<Answer> => {
      // A sliding range is asked at this moment, not at the moment of the last drawing.
      const now = Date.now();
      const moved = question.range.endsNow ? now - question.range.to : 0;
      const from = question.range.from + (question.range.kind === "sliding" ? moved : 0);
      const answer = await request<QueryAnswer>("POST", "/api/query", bodyOf(question), signal);
      return { ...answer, asked: { from, to: question.range.to + moved, interval: question.interval } };
    },
  });
}

export const useApplications = () =>
  useQuery({
    queryKey: ["applications"],
    staleTime: 60_000,
    queryFn: async ({ signal }) => (await get<{ applications: Application[] }>("/api/applications", signal)).applications,
  });

export const useStatus = (refetchInterval: number | false = false) =>
  useQuery({ queryKey: ["status"], refetchInterval, queryFn: ({ signal }) => get<Status>("/api/status", signal) });

export const useFields = () =>
  useQuery({ queryKey: ["fields"], staleTime: 300_000, queryFn: ({ signal }) => get<FieldsAnswer>("/api/fields", signal) });

export const fetchValues = (application: string | null, field: string, q: string, from: string, limit: number, signal?: AbortSignal) =>
  get<ValuesAnswer>(`/api/fields/values${params({ application, field, q, from, limit })}`, signal);

export const useValues = (application: string | null, field: string | null, q: string, from = "-7d") =>
  useQuery({
    queryKey: ["values", application, field, q, from],
    enabled: field !== null,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    queryFn: ({ signal }) => fetchValues(application, field ?? "", q, from, 20, signal),
  });

export interface ListQuestion {
  application: string | null;
  range: Range;
  leaves: Leaf[];
}

const filterText = (leaves: Leaf[]): string | null => {
  const filter = toApi(leaves);
  return filter === null ? null : JSON.stringify(filter);
};

export const liveAddress = (application: string | null, leaves: Leaf[]): string =>
  `/api/events/live${params({ application, filter: filterText(leaves) })}`;

export const useEvents = (question: ListQuestion) =>
  useInfiniteQuery({
    queryKey: ["events", question.application, question.range.text, question.leaves],
    initialPageParam: "",
    // Live rows come by the stream; asking again would only move what a person is reading.
    refetchOnWindowFocus: false,
    queryFn: ({ pageParam, signal }) =>
      get<EventPage>(
        `/api/events${params({
          application: question.application, ...apiRange(question.range), filter: filterText(question.leaves),
          limit: 100, cursor: pageParam, order: "desc",
        })}`,
        signal,
      ),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });

export const useEvent = (application: string | null, id: string) =>
  useQuery({
    queryKey: ["event", application, id],
    enabled: application !== null,
    staleTime: Infinity,
    queryFn: ({ signal }) => get<ApiEvent>(`/api/events/${encodeURIComponent(id)}${params({ application })}`, signal),
  });
