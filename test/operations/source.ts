import type { Facts } from '../../src/domain/facts.ts';
import type { Root } from '../../src/domain/manifest.ts';
import type { CaptureContext, CapturedTree, Source } from '../../src/ports/source.ts';

/** A source in memory with one tree item, changed by tests between captures. */
export interface TestSource extends Source {
  settings: { reread?: 'always' };
  content: string;
  /** Names of its items, each with this content and these facts. */
  items: readonly string[];
  facts: Facts;
  /** Read by path; undefined: the source does not count them. */
  roots: readonly Root[];
  fingerprint: string | null;
  warnings: readonly string[];
  unreadable: readonly string[];
  estimatedBytes: number | null;
  /** Thrown by `capture` itself. */
  missing: Error | null;
  /** Thrown after the last byte: a producer that dies. */
  dies: Error | null;
  /** Called before the first byte. */
  onRead: () => void;
  /** How often its bytes were read. */
  reads: number;
  /** How many captures were not disposed of. */
  open: number;
  readonly contexts: CaptureContext[];
}

export function testSource(name: string): TestSource {
  const source: TestSource = {
    ...{ name, kind: 'files', capabilities: { tree: true, inPlace: true, sql: false }, itemNames: [`files_${name}`] },
    ...{
      items: [`files_${name}`],
      settings: {},
      content: `content of ${name}`,
      facts: { files: 10 },
      fingerprint: null,
    },
    roots: [{ path: `/srv/${name}`, stored: `srv/${name}` }],
    ...{ warnings: [], unreadable: [], estimatedBytes: null, missing: null, dies: null, onRead: () => {} },
    ...{ reads: 0, open: 0, contexts: [] },
    capture: async (context, signal) => {
      signal.throwIfAborted();
      source.contexts.push(context);
      if (source.missing !== null) throw source.missing;
      source.open += 1;
      const dispose = async (): Promise<void> => {
        source.open -= 1;
      };
      return { items: source.items.map((item) => itemOf(item, source)), [Symbol.asyncDispose]: dispose };
    },
    query: () => Promise.reject(new Error('it has no database')),
    databases: null,
    placements: async () => [],
    snapshotRoots: async () => [],
    holdsDatabases: async () => false,
  };
  return source;
}

function itemOf(name: string, source: TestSource): CapturedTree {
  let read = false;
  async function* tar(): AsyncGenerator<Uint8Array> {
    source.reads += 1;
    source.onRead();
    yield Buffer.from(source.content);
    if (source.dies !== null) throw source.dies;
    read = true;
  }
  return {
    ...{ type: 'tree', name, source: source.name, kind: source.kind },
    ...{ tool: { name: 'tar', version: '1.34' }, estimatedBytes: source.estimatedBytes, exclude: ['*.log'] },
    fingerprint: source.fingerprint,
    roots: () => source.roots,
    tar,
    completed: () => {
      if (!read) throw new Error('The bytes were not read to their end.');
      const { facts, warnings, unreadable } = source;
      return { facts, warnings, unreadable };
    },
  };
}
