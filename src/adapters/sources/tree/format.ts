import { counted } from '../../../domain/counted.ts';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { countTree } from '../../../streams/tar-facts.ts';
import { countFolder } from './count.ts';

/** Items of trees: a tar. One format for all kinds that have them. */
export function treeFormat(kind: string): ItemFormat {
  return {
    kind,
    tree: true,
    async inspect(bytes, recorded, _workspace, signal) {
      let foreign: { readonly error: unknown } | null = null;
      async function* passed(): Bytes {
        try {
          for await (const chunk of bytes) {
            signal.throwIfAborted();
            yield chunk;
          }
        } catch (error) {
          foreign = { error };
          throw error;
        }
      }
      let found: Facts = {};
      try {
        const scanned = countTree(passed(), (facts) => {
          found = facts;
        });
        for await (const _ of scanned); // only its end matters
      } catch (error) {
        // What the repository throws is its affair; what the scanner throws is about this item.
        if (foreign !== null || !(error instanceof HoldfastError)) throw error;
        return [{ name: 'structure', outcome: 'failed', detail: messageOf(error) }];
      }
      return findings(recorded, found);
    },
    facts: (path, roots, signal) => countFolder(path, roots, signal),
  };
}

function findings(recorded: Facts, found: Facts): readonly Finding[] {
  const { files = 0, directories = 0, links = 0, others = 0, bytes = 0 } = found;
  const differences = compareFacts(recorded, found);
  const different = differences.map(({ fact, expected, actual }) => `${fact}: ${expected} expected, ${actual} found`);
  return [
    {
      name: 'structure',
      outcome: 'passed',
      detail: `${counted(files + directories + links + others, 'member')}, whole`,
    },
    {
      name: 'facts',
      outcome: differences.length > 0 ? 'failed' : 'passed',
      detail: different.join('; ') || `${counted(files, 'file')}, ${bytes} bytes`,
    },
  ];
}
