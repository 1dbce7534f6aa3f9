import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { Objective } from '../../domain/objectives.ts';
import { formatBytes } from '../../domain/size.ts';
import type { History } from '../../operations/history.ts';
import { nameOfKept } from '../../operations/kept-states.ts';
import type { Kept } from '../../operations/objectives.ts';
import type { Recovery, Snapshot } from '../../ports/catalog.ts';
import { coloured, doubtful, strong } from './colour.ts';
import { timeForPeople } from './point.ts';
import { secondOf, snapshotAsJson } from './snapshot.ts';
import { printable, table } from './table.ts';

/** A recovery of `history --json` (interface, section 5). */
export const recoveryAsJson = (recovery: Recovery): object => ({
  timestamp: secondOf(recovery.startedAt),
  subvolume: recovery.subject.name,
  restored_snapshot: recovery.restored,
  reason: recovery.reason,
  duration_seconds: Math.round(recovery.durationMs) / 1000,
  outcome: recovery.outcome,
  kept: recovery.kept.map((state) => ({ path: nameOfKept(state), until: state.until.toString() })),
});

export const historyAsJson = ({ snapshots, recoveries, figures, ends, replaced, kept }: History): object => ({
  snapshots: snapshots.map((snapshot) => ({
    ...snapshotAsJson(snapshot),
    commandExit: ends.get(snapshot.name)?.commandExit ?? null,
    rolledBack: ends.get(snapshot.name)?.rolledBack ?? false,
  })),
  recoveries: recoveries.map((recovery) => ({
    ...recoveryAsJson(recovery),
    replaced: replaced.get(recovery.id) ?? [],
  })),
  figures: { ...figures, services: servicesAsJson(figures.services, kept) },
  series: Object.fromEntries([...kept].map(([service, { series }]) => [service, seriesAsJson(series)])),
});

const NO_TIMES = { meanSeconds: null, worstSeconds: null, lastDrillSeconds: null };

/** What was declared for a service stands beside what its records come to; times in seconds. */
const servicesAsJson = (figures: History['figures']['services'], kept: History['kept']): object => ({
  ...figures,
  ...Object.fromEntries([...kept].map(([name, { rpo, rto }]) => [name, { ...(figures[name] ?? NO_TIMES), rpo, rto }])),
});

const seriesAsJson = ({ rpo, rto }: Kept['series']): object => ({
  rpo: rpo.map(({ at, before, seconds }) => ({ at: at.toString(), before, seconds })),
  rto: rto.map(({ at, point, seconds, phases }) => ({ at: at.toString(), point, seconds, phases })),
});

export function historyForPeople({ snapshots, recoveries, figures, kept }: History): string {
  const { deployments, recoveries: counts } = figures;
  const mean = counts.meanSeconds === null ? '' : `, ${formatDuration(counts.meanSeconds)} on average`;
  const figuresLine = [
    `${counted(deployments.total, 'change')}, ${deployments.guarded} of them guarded`,
    `${counted(counts.total, 'recovery', 'recoveries')}, ${counts.succeeded} successful${mean}`,
  ].join('; ');
  const parts = [
    snapshots.length === 0 ? 'No snapshots were recorded yet.' : snapshotTable(snapshots),
    ...(recoveries.length === 0 ? [] : [`${strong('Recoveries')}\n${recoveryTable(recoveries)}`]),
    ...(kept.size === 0 ? [] : [`${strong('Objectives')}\n${objectiveTable(kept)}`]),
    figuresLine,
  ];
  return parts.join('\n\n');
}

function objectiveTable(kept: History['kept']): string {
  const columns = [
    { title: 'SERVICE' },
    { title: 'PROVED UP TO', align: 'right' },
    { title: 'RPO', align: 'right' },
    { title: 'LAST DRILL', align: 'right' },
    { title: 'RTO', align: 'right' },
  ] as const;
  const told = ({ target, actual }: Objective): string => {
    if (actual === null) return doubtful('never');
    return actual > target ? doubtful(formatDuration(actual)) : formatDuration(actual);
  };
  const rows = [...kept].map(([service, { rpo, rto }]) => [
    printable(service),
    rpo.actual === null ? told(rpo) : `${told(rpo)} ago`,
    formatDuration(rpo.target),
    told(rto),
    formatDuration(rto.target),
  ]);
  return table(columns, rows);
}

/** A column must leave room for the others; the JSON has the whole. */
const OPERATION_WIDTH = 40;

function shortened(text: string): string {
  const letters = [...text];
  return letters.length <= OPERATION_WIDTH ? text : `${letters.slice(0, OPERATION_WIDTH - 1).join('')}…`;
}

function snapshotTable(snapshots: readonly Snapshot[]): string {
  const columns = [
    { title: 'TIME' },
    { title: 'SUBVOLUME' },
    { title: 'TYPE' },
    { title: 'OPERATION' },
    { title: 'OUTCOME' },
    { title: 'SIZE', align: 'right' },
    { title: 'SNAPSHOT' },
  ] as const;
  const zone = Temporal.Now.timeZoneId();
  const rows = snapshots.map(({ madeAt, subvolume, type, operation, outcome, sizeBytes, name }) => [
    timeForPeople(madeAt, zone),
    printable(subvolume),
    type,
    shortened(printable(operation ?? '-')),
    coloured(outcome),
    sizeBytes === null ? '-' : formatBytes(sizeBytes),
    printable(name),
  ]);
  return table(columns, rows);
}

function recoveryTable(recoveries: readonly Recovery[]): string {
  const columns = [
    { title: 'TIME' },
    { title: 'OF' },
    { title: 'REASON' },
    { title: 'TOOK', align: 'right' },
    { title: 'OUTCOME' },
    { title: 'RESTORED' },
  ] as const;
  const zone = Temporal.Now.timeZoneId();
  const rows = recoveries.map(({ startedAt, subject, reason, durationMs, outcome, restored }) => [
    timeForPeople(startedAt, zone),
    printable(subject.name),
    reason,
    formatDuration(durationMs / 1000),
    coloured(outcome),
    printable(restored),
  ]);
  return table(columns, rows);
}
