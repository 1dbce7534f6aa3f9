import { counted } from './counted.ts';
import { compareFacts, type Difference, type Facts } from './facts.ts';
import type { Tool } from './manifest.ts';
import type { Evidence, PointSummary } from './recovery-point.ts';
import type { Check } from './verdict.ts';

/** In this order. */
export const DRILL_PHASES = ['select', 'create', 'restore', 'verify', 'clean up'] as const;
export type DrillPhase = (typeof DRILL_PHASES)[number];

/** One item that was restored into a scratch instance, or should have been. */
export interface DrilledItem {
  readonly name: string;
  readonly source: string;
  readonly kind: string;
  readonly outcome: Check['outcome'];
  readonly detail: string;
  /** Counted in the same instant as the capture. */
  readonly expected: Facts;
  /** Counted in the restored copy; null where it was not. */
  readonly actual: Facts | null;
  readonly dumpedBy: Tool | null;
  readonly restoredBy: Tool | null;
  /** What was left out, for people. */
  readonly left: readonly string[];
  /** Of restoring it, milliseconds. */
  readonly durationMs: number;
}

/** A check of the service, or a part of the drill, that was not done, and why. */
export interface NotChecked {
  readonly name: string;
  readonly reason: string;
}

/** What the drill of one point found. */
export interface DrillVerdict {
  readonly point: PointSummary;
  readonly outcome: Check['outcome'];
  /** All five, in their order; one that was not reached is `inconclusive`. */
  readonly phases: readonly Check[];
  readonly items: readonly DrilledItem[];
  /** The service's own, on the restored copy. */
  readonly checks: readonly Check[];
  readonly notChecked: readonly NotChecked[];
  /** From the first scratch instance until all was verified, milliseconds; null when not all was well. */
  readonly rtoMs: number | null;
  /** What the service declares as the longest, milliseconds; null for one that is not configured. */
  readonly rtoTargetMs: number | null;
  /** Whether servers ran, and checks were made, without a network. */
  readonly isolated: boolean;
  readonly evidence: Evidence;
  readonly evidenceAt: Temporal.Instant;
}

/** What is not as it was counted. A fact that was not recorded, as by an earlier version, is not compared. */
export const differencesOf = (expected: Facts, actual: Facts): readonly Difference[] =>
  compareFacts(expected, actual).filter(({ fact }) => Object.hasOwn(expected, factOf(fact)));

/** What items are counted by in the first place: each kind has one of these. */
const CONTENT = ['tables', 'entries', 'keys', 'documents', 'files'] as const;

/** Whether what the copy holds was counted when it was captured. Other facts alone would prove nothing of its content. */
export const isCounted = (expected: Facts, actual: Facts): boolean =>
  CONTENT.some((fact) => expected[fact] !== undefined) &&
  CONTENT.every((fact) => actual[fact] === undefined || expected[fact] !== undefined);

/** `tables public.users` is of `tables`, `keys hash` of `keyTypes`. */
const factOf = (name: string): string => {
  const [first = '', ...rest] = name.split(' ');
  return first === 'keys' && rest.length > 0 ? 'keyTypes' : first;
};

/** `12 rows of 3 tables`: what was compared, for people. */
export function countedIn({ files, tables, entries, keys, documents }: Facts): string {
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((all, one) => all + one, 0);
  if (tables !== undefined) return `${counted(sum(tables), 'row')} in ${counted(Object.keys(tables).length, 'table')}`;
  if (documents !== undefined) return counted(sum(documents), 'document');
  if (files !== undefined) return counted(files, 'file');
  if (entries !== undefined) return counted(entries, 'entry', 'entries');
  return counted(keys ?? 0, 'key');
}

/** What a drill is expected to take on the disk of its scratch instances. A dump has no indexes and no log. */
export const SERVER_BYTES = 96 * 1024 ** 2;
export const estimatedBytes = (plainBytes: number, server: boolean): number =>
  server ? Math.ceil(plainBytes * 2.5) : plainBytes;
