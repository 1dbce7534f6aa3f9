import type { DrilledItem, DrillVerdict } from '../domain/drill.ts';
import { formatDuration } from '../domain/duration.ts';
import { compareFacts, type Facts } from '../domain/facts.ts';
import type { Tool } from '../domain/manifest.ts';
import { type Check, checkFields, type ReportMade } from '../domain/verdict.ts';
import type { ReportFields } from '../ports/repository.ts';

/** `dr-drill-report.json`: what `drill --json` prints of one point (interface, section 4), and what the catalog is rebuilt
 *  from. */
export interface DrillReportJson extends DrillFields {
  /** When it was made, ISO 8601. */
  readonly at: string;
  readonly holdfast: string;
}

/** What is told of the drill of one point. Durations in milliseconds; facts by the names of items. */
export interface DrillFields extends ReportFields {
  readonly outcome: Check['outcome'];
  readonly phases: readonly Check[];
  readonly point: string;
  readonly service: string;
  readonly repository: string;
  readonly rtoMs: number | null;
  readonly rtoTargetMs: number | null;
  readonly facts: {
    readonly expected: Readonly<Record<string, Facts>>;
    readonly actual: Readonly<Record<string, Facts>>;
    readonly equal: boolean;
  };
  readonly items: readonly {
    readonly name: string;
    readonly kind: string;
    readonly outcome: Check['outcome'];
    readonly detail: string;
    readonly durationMs: number;
    readonly dumpedBy: Tool | null;
    readonly restoredBy: Tool | null;
    readonly left: readonly string[];
  }[];
  readonly checks: readonly Check[];
  readonly notChecked: DrillVerdict['notChecked'];
  readonly isolated: boolean;
}

export const drillReportJson = (verdict: DrillVerdict, { at, version }: ReportMade): DrillReportJson => ({
  ...drillFields(verdict),
  at: `${at}`,
  holdfast: version,
});

export function drillFields(verdict: DrillVerdict): DrillFields {
  const { point, items } = verdict;
  const actual = items.flatMap(({ name, actual: found }) => (found === null ? [] : [[name, found] as const]));
  return {
    outcome: verdict.outcome,
    phases: verdict.phases.map(checkFields),
    point: point.id,
    service: point.service,
    repository: point.repository,
    rtoMs: verdict.rtoMs,
    rtoTargetMs: verdict.rtoTargetMs,
    facts: {
      expected: Object.fromEntries(items.map(({ name, expected }) => [name, expected])),
      actual: Object.fromEntries(actual),
      equal: items.length > 0 && items.every(({ outcome }) => outcome === 'passed'),
    },
    items: items.map(({ name, kind, outcome, detail, durationMs, dumpedBy, restoredBy, left }) => ({
      name,
      kind,
      outcome,
      detail,
      durationMs,
      dumpedBy,
      restoredBy,
      left,
    })),
    checks: verdict.checks.map(checkFields),
    notChecked: verdict.notChecked,
    isolated: verdict.isolated,
    evidence: verdict.evidence,
    evidenceAt: `${verdict.evidenceAt}`,
  };
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const toolOf = (tool: Tool | null): string =>
  tool === null ? 'nothing that said its name' : `${tool.name} ${tool.version}`;

/** How a recovery time stands to what the service declares: `, within 4h`. */
export function besideTarget({ rtoMs, rtoTargetMs }: Pick<DrillVerdict, 'rtoMs' | 'rtoTargetMs'>): string {
  if (rtoMs === null || rtoTargetMs === null) return '';
  return `, ${rtoMs <= rtoTargetMs ? 'within' : 'more than'} the objective of ${formatDuration(rtoTargetMs / 1000)}`;
}

/** Rows of words, two spaces between columns. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, at) => Math.max(all[at] ?? 0, cell.length)), []);
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd());
}

function factRows({ name, expected, actual }: DrilledItem): readonly (readonly string[])[] {
  if (actual === null) return [];
  return compareFacts(expected, actual)
    .slice(0, 50)
    .map(({ fact, expected: was, actual: is }) => [
      name,
      fact,
      `${was ?? 'none'} expected`,
      `${is ?? 'none'} restored`,
    ]);
}

const section = (title: string, rows: readonly (readonly string[])[]): readonly string[] =>
  rows.length === 0 ? [] : ['', title, ...columns(rows)];

/** `dr-drill-report.txt`, for people. */
export function drillReportText(verdict: DrillVerdict, { at, version }: ReportMade): string {
  const { point, items, phases, checks, notChecked, evidence, evidenceAt, rtoMs, isolated } = verdict;
  const itemRows = items.map((item) => [item.outcome, item.name, seconds(item.durationMs), item.detail]);
  const tools = items.map((item) => [
    item.name,
    `made by ${toolOf(item.dumpedBy)}`,
    `${item.restoredBy === null ? 'restored as a file' : `restored by ${toolOf(item.restoredBy)}`}`,
  ]);
  const left = items.flatMap((item) => item.left.map((words) => [item.name, words]));
  const recovery =
    rtoMs === null
      ? 'not measured'
      : `${seconds(rtoMs)} until all was verified (${formatDuration(rtoMs / 1000)})${besideTarget(verdict)}`;
  return [
    'Disaster recovery drill',
    '',
    `Service   ${point.service}`,
    `Point     ${point.id}, of ${point.timestamp}, in ${point.repository}`,
    `Drilled   ${at}, holdfast ${version}`,
    `Outcome   ${verdict.outcome}`,
    `Recovery  ${recovery}`,
    `Network   ${isolated ? 'none: servers that were started and checks reached nothing but each other' : 'not taken away: this machine allows no network namespace'}`,
    `Evidence  ${evidence}, since ${evidenceAt}`,
    ...section(
      'Phases',
      phases.map((phase) => [phase.outcome, phase.name, seconds(phase.durationMs), phase.detail]),
    ),
    ...section('Items', itemRows),
    ...section('Programs', tools),
    ...section('Left out', left),
    ...section('Facts that differ', items.flatMap(factRows)),
    ...section(
      "The service's own checks",
      checks.map((check) => [check.outcome, check.name, seconds(check.durationMs), check.detail]),
    ),
    ...section(
      'Not checked',
      notChecked.map(({ name, reason }) => [name, reason]),
    ),
    '',
  ].join('\n');
}
