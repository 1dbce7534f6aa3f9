import type { DoctorReport } from '../../operations/doctor.ts';
import type { AdvisedRepair } from '../../operations/left-guards.ts';
import { coloured } from './colour.ts';
import { printable, table } from './table.ts';

export const repairAsJson = ({ entry, outcome, detail, became, advice }: AdvisedRepair): object => ({
  verb: entry.verb,
  subject: entry.subject,
  begunAt: entry.begunAt.toString(),
  outcome,
  detail,
  became,
  advice,
});

export function repairForPeople({ entry, outcome, detail, became, advice }: AdvisedRepair): string {
  const next = advice === null ? [] : [`  next: ${printable(advice)}`];
  const what = became ?? `${entry.verb} ${entry.subject}: ${detail}`;
  return [`${coloured(outcome)}: ${printable(what)}`, ...next].join('\n');
}

export const doctorAsJson = ({ outcome, rows, repairs }: DoctorReport): object => ({
  outcome,
  rows: rows.map(({ subject, outcome, detail, advice }) => ({ subject, outcome, detail, advice })),
  repairs: repairs.map(repairAsJson),
});

export function doctorForPeople({ outcome, rows, repairs }: DoctorReport): string {
  const shown = rows.map(({ subject, outcome, detail }) => [coloured(outcome), printable(subject), printable(detail)]);
  const advice = rows.flatMap(({ subject, advice }) =>
    advice === '' ? [] : [`next: ${printable(subject)}: ${printable(advice)}`],
  );
  return [
    table([{ title: 'STATUS' }, { title: 'WHAT' }, { title: 'DETAIL' }], shown),
    ...repairs.map(repairForPeople),
    ...advice,
    coloured(outcome),
  ].join('\n');
}
