import type { Bytes } from '../ports/bytes.ts';
import type { Captured, CapturedStream, CapturedTree } from '../ports/source.ts';

/** What was seen of an item while a repository read it. */
export interface Watch {
  /** Plain bytes that have passed. */
  bytes: number;
  /** What the producer, or the look at what it produced, threw; null when the producer is not to blame. */
  producerError: unknown;
}

/** How often an item tells that it advances. */
const ADVANCE_BYTES = 1024 * 1024;

/** The same item, its bytes watched. `accept` sees what was captured after the last byte and before the repository
 *  knows that it was the last: when it throws, nothing of the item stays, and until it resolves nothing is synced. */
export function watched(
  item: CapturedStream | CapturedTree,
  accept: (captured: Captured) => Promise<void>,
  onAdvance: (bytes: number) => void,
): { readonly item: CapturedStream | CapturedTree; readonly watch: Watch } {
  const watch: Watch = { bytes: 0, producerError: null };
  async function* pass(bytes: Bytes): Bytes {
    let told = 0;
    try {
      for await (const chunk of bytes) {
        watch.bytes += chunk.length;
        if (watch.bytes - told >= ADVANCE_BYTES) {
          told = watch.bytes;
          onAdvance(told);
        }
        yield chunk;
      }
      await accept(item.completed());
    } catch (error) {
      watch.producerError = error;
      throw error;
    }
  }
  const { name, source, kind, tool, estimatedBytes } = item;
  const common = { name, source, kind, tool, estimatedBytes, completed: () => item.completed() };
  if (item.type === 'stream') {
    const { file, compressed } = item;
    return {
      watch,
      item: { ...common, type: 'stream', file, compressed, bytes: (signal) => pass(item.bytes(signal)) },
    };
  }
  const { exclude, fingerprint } = item;
  return {
    watch,
    item: {
      ...common,
      type: 'tree',
      exclude,
      fingerprint,
      roots: (naming) => item.roots(naming),
      tar: (naming, signal) => pass(item.tar(naming, signal)),
    },
  };
}
