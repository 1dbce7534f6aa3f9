import type { Host } from '../../../ports/host.ts';
import type { Difference } from '../../../ports/snapshotter.ts';
import { difference, isBefore, isChanged, type Listing, parseListing, split, treeCommands } from './listing.ts';

/** What differs between two folders, by reading what each file system entry tells of itself; contents are not read, so
 *  that a file whose size, time, mode and owner are as before counts as unchanged. Memory does not grow with the trees. */
export async function* walkedDiff(
  host: Host,
  before: string,
  after: string,
  signal: AbortSignal,
): AsyncIterable<Difference> {
  const [left, right] = [listings(host, before, signal), listings(host, after, signal)];
  try {
    let [old, now] = await Promise.all([left.next(), right.next()]);
    while (!old.done || !now.done) {
      if (now.done || (!old.done && isBefore(old.value.path, now.value.path))) {
        if (old.done) break;
        yield difference(old.value.path, 'removed', old.value);
        old = await left.next();
      } else if (old.done || isBefore(now.value.path, old.value.path)) {
        yield difference(now.value.path, 'added', now.value);
        now = await right.next();
      } else {
        if (isChanged(old.value, now.value) && now.value.path !== '')
          yield difference(now.value.path, 'modified', now.value);
        [old, now] = await Promise.all([left.next(), right.next()]);
      }
    }
  } finally {
    await Promise.all([left.return(undefined), right.return(undefined)]);
  }
}

async function* listings(host: Host, folder: string, signal: AbortSignal): AsyncGenerator<Listing> {
  for await (const record of split(host.read(treeCommands(folder), { signal }), 0)) yield parseListing(record);
}
