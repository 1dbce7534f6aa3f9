import { type ListedKeptState, nameOfKept } from '../../operations/kept-states.ts';
import { strong } from './colour.ts';
import { timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

/** A kept state in `snapshot list --json`. */
export const keptStateAsJson = ({ state, subject, since }: ListedKeptState): object => ({
  ...('path' in state
    ? { kind: 'path', name: state.path, host: state.host }
    : { kind: 'database', name: state.database, original: state.original, source: state.source }),
  of: subject,
  since: since.toString(),
  until: state.until.toString(),
});

/** Empty where nothing is kept. */
export function keptStatesForPeople(states: readonly ListedKeptState[]): string {
  if (states.length === 0) return '';
  const columns = [
    { title: 'KEPT' },
    { title: 'WHAT' },
    { title: 'OF' },
    { title: 'SINCE' },
    { title: 'UNTIL' },
  ] as const;
  const rows = states.map(({ state, subject, since }) => [
    printable(nameOfKept(state)),
    'path' in state ? 'path' : `database ${printable(state.original)}`,
    printable(subject),
    timeForPeople(since),
    timeForPeople(state.until),
  ]);
  return `${strong('Kept by restores and rollbacks')}\n${table(columns, rows)}`;
}
