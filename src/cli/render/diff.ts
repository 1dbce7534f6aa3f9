import { counted } from '../../domain/counted.ts';
import { formatBytes } from '../../domain/size.ts';
import type { Comparison, DiffTotals } from '../../operations/diff.ts';
import type { Difference } from '../../ports/snapshotter.ts';
import { printable } from './table.ts';

const SIGN = { added: '+', removed: '-', modified: 'M' } as const;

/** One change a line, then the totals; as they come, so that memory does not grow with their number. */
export async function* diffForPeople({ changes }: Comparison): AsyncGenerator<string> {
  const totals = counting();
  for await (const change of changes) {
    totals.add(change);
    yield `${SIGN[change.change]}  ${printable(change.path)}  ${formatBytes(change.bytes)}\n`;
  }
  yield `${totalsForPeople(totals.sum)}\n`;
}

export const totalsForPeople = ({ added, removed, modified, bytes }: DiffTotals): string =>
  `${counted(added, 'path')} added, ${removed} removed, ${modified} modified, ${formatBytes(bytes)}`;

/** `{"from","to","subvolume","changes":[{"change","path","bytes"}],"totals":{…}}` in pieces; `to` is `now` for the present
 *  state. */
export async function* diffAsJson(
  from: string,
  to: string | null,
  { subvolume, changes }: Comparison,
): AsyncGenerator<string> {
  const totals = counting();
  yield `{"from":${JSON.stringify(from)},"to":${JSON.stringify(to ?? 'now')},"subvolume":${JSON.stringify(subvolume)},"changes":[`;
  let between = '';
  for await (const change of changes) {
    totals.add(change);
    const { change: kind, path, bytes } = change;
    yield `${between}${JSON.stringify({ change: kind, path, bytes })}`;
    between = ',';
  }
  yield `],"totals":${JSON.stringify(totals.sum)}}\n`;
}

function counting() {
  const sum = { added: 0, removed: 0, modified: 0, bytes: 0 };
  return {
    sum,
    add({ change, bytes }: Difference): void {
      sum[change] += 1;
      sum.bytes += bytes;
    },
  };
}
