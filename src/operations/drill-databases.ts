import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { OpenScratch } from '../ports/scratch.ts';
import type { DrillServer } from '../ports/source.ts';

/** Restores each item into a database of its own on a server that the configuration names for it. Each is recorded before
 *  it is made, and dropped with the rest of the drill. What the server refuses tells nothing of the point. */
export const databasesOnServer =
  ({ databases, tool }: DrillServer, service: string): OpenScratch =>
  async (source, _items, place, signal) => {
    const restored = new Map<string, string>();
    const restoredBy = await judged(() => tool(signal), signal);
    return {
      tool: restoredBy,
      url: () => null, // checks are run without a network
      async restore({ name: item }, bytes, aborted) {
        const database = `${place.name}-${restored.size}`;
        const dump = watched(bytes);
        let left: readonly string[] = [];
        restored.set(item, database);
        try {
          await place.keep({ kind: 'database', service, source, database }, async () => {
            left = await databases.fill(database, dump.bytes, aborted);
          });
        } catch (error) {
          aborted.throwIfAborted();
          throw dump.failure() ?? unusable(error);
        }
        return left;
      },
      facts: ({ name: item }, aborted) => judged(() => databases.facts(restored.get(item) ?? '', aborted), aborted),
      query: () => Promise.reject(new HoldfastError('Unsupported', `${source} answers no SQL in a drill.`, source)),
      [Symbol.asyncDispose]: async () => undefined,
    };
  };

async function judged<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw unusable(error);
  }
}

/** The bytes, and what reading them threw: that is of the point, and not of the server. */
function watched(open: () => Bytes): { readonly bytes: () => Bytes; failure(): unknown } {
  let failure: unknown = null;
  async function* bytes(): Bytes {
    try {
      yield* open();
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  return { bytes, failure: () => failure };
}

/** Only damage of the dump itself is told of the point. */
function unusable(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code === 'Damaged') return error;
  return new HoldfastError('ScratchUnusable', error.message, error.subject, {
    cause: error,
    hint: 'Look at `scratch` of the source; the recovery point itself was not judged',
  });
}
