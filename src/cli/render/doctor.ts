import type { DoctorReport } from '../../operations/doctor.ts';
import { adviceForLeftGuard } from '../../operations/guards.ts';
import { coloured } from './colour.ts';
import { printable, table } from './table.ts';

type Repair = DoctorReport['repairs'][number];

export const repairAsJson = ({ entry, outcome, detail }: Repair): object => ({
  verb: entry.verb,
  subject: entry.subject,
  begunAt: entry.begunAt.toString(),
  outcome,
  detail,
  advice: adviceForLeftGuard(entry),
});

export function repairForPeople({ entry, outcome, detail }: Repair): string {
  const advice = adviceForLeftGuard(entry);
  const next = advice === null ? [] : [`  next: ${printable(advice)}`];
  return [`${coloured(outcome)}: ${entry.verb} ${printable(entry.subject)}: ${printable(detail)}`, ...next].join('\n');
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
