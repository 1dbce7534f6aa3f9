import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { HoldfastError } from '../../src/domain/errors.ts';
import { strongestProof } from '../../src/domain/evidence.ts';
import type { Item, Manifest } from '../../src/domain/manifest.ts';
import { type Hold, type PointReference, type RecoveryPoint, summaryOf } from '../../src/domain/recovery-point.ts';
import { ulidFrom } from '../../src/domain/ulid.ts';
import type { Bytes } from '../../src/ports/bytes.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type {
  Draft,
  Lock,
  LockMode,
  LockScope,
  PointHeader,
  ReportFields,
  Repository,
  StoredItem,
} from '../../src/ports/repository.ts';
import type { CapturedStream, CapturedTree } from '../../src/ports/source.ts';
import { memberOf, membersOf, subsetOf } from './memory-tar.ts';

interface StoredPoint {
  readonly header: Pick<PointHeader, 'id' | 'service' | 'timestamp'>;
  /** Null for a foreign archive, whose bytes are the item `archive`. */
  manifest: Manifest | null;
  hold: Hold | null;
  readonly items: Map<string, Buffer>;
  readonly reports: Map<string, { readonly text: string; readonly json: object & ReportFields }>;
}

interface HeldLock {
  readonly scope: string;
  readonly mode: LockMode;
}

export interface MemoryRepositoryOptions {
  readonly name?: string;
  readonly clock: Clock;
  readonly share?: boolean;
  readonly adopt?: boolean;
}

/** Methods that can be made to fail once: those of the repository and of its drafts. */
export type FailingMethod =
  | Exclude<keyof Repository, 'name' | 'engine' | 'capabilities'>
  | Exclude<keyof Draft, symbol>;

/** A repository in memory, for the tests of operations. It passes the suite of the real one. */
export interface MemoryRepository extends Repository {
  /** The next call of this method rejects with this error. Faults of one method queue up. */
  failNext(method: FailingMethod, error: Error): void;
  /** Flips one bit of a stored item. */
  damage(location: string, item: string): void;
  /** The bytes of a stored item. */
  stored(location: string, item: string): Buffer | undefined;
  report(location: string, name: string): { readonly text: string; readonly json: object & ReportFields } | undefined;
  /** Takes a point away behind the back of everybody. */
  lose(location: string): void;
  /** A list shows this location as unreadable. */
  addUnreadable(location: string, service: string, problem: string): void;
  /** An archive that another tool made. */
  addForeign(location: string, service: string, timestamp: Temporal.Instant, tar: Buffer): void;
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
function scopeName(scope: LockScope): string {
  if (scope.kind === 'repository') return 'repository';
  return scope.kind === 'service' ? `service ${scope.service}` : `point ${scope.id}`;
}

export function memoryRepository(options: MemoryRepositoryOptions): MemoryRepository {
  const { name = 'memory', clock, share = false, adopt = false } = options;
  const points = new Map<string, StoredPoint>();
  const unreadable = new Map<string, { readonly service: string; readonly problem: string }>();
  const locks = new Set<HeldLock>();
  const faults = new Map<FailingMethod, Error[]>();
  let initialized: string | null = null;

  /** Where every call begins: an abort, then a queued fault. */
  function enter(method: FailingMethod, signal: AbortSignal): void {
    signal.throwIfAborted();
    const fault = faults.get(method)?.shift();
    if (fault) throw fault;
    if (initialized === null && method !== 'initialize')
      throw new HoldfastError('RepositoryNotFound', `The repository ${name} has no marker.`, name);
  }

  function asPoint(location: string, { header, manifest, hold, items, reports }: StoredPoint): RecoveryPoint {
    const storedAt = manifest === null ? header.timestamp : Temporal.Instant.from(manifest.completedAt);
    const own = [...reports.values()].filter(({ json }) => json.point === header.id);
    const proofs = own.map(({ json }) => ({
      evidence: json.evidence,
      evidenceAt: Temporal.Instant.from(json.evidenceAt),
    }));
    return {
      id: header.id,
      repository: name,
      service: header.service,
      location,
      timestamp: header.timestamp,
      manifest: structuredClone(manifest),
      ...summaryOf(manifest),
      outcome: manifest?.outcome ?? 'passed',
      totalSize: manifest?.totalSize ?? [...items.values()].reduce((sum, bytes) => sum + bytes.length, 0),
      ...strongestProof({ evidence: 'stored', evidenceAt: storedAt }, proofs),
      held: hold,
      foreign: manifest === null,
    };
  }

  function found({ id, location }: PointReference): StoredPoint {
    const point = points.get(location);
    if (point?.header.id === id) return point;
    throw new HoldfastError('PointNotFound', `The repository ${name} has no point ${id} at ${location}.`, id);
  }

  function bytesOf(
    reference: PointReference,
    item: string,
  ): { readonly bytes: Buffer; readonly row: Item | undefined } {
    const point = found(reference);
    const bytes = point.items.get(item);
    if (bytes) return { bytes, row: point.manifest?.items.find((row) => row.name === item) };
    throw new HoldfastError('ItemNotFound', `The point ${reference.id} has no item ${item}.`, item);
  }

  function proved(reference: PointReference, item: string): Buffer {
    const { bytes, row } = bytesOf(reference, item);
    if (!row || row.sha256 === hashOf(bytes)) return bytes;
    throw new HoldfastError('Damaged', `${item} of ${reference.location} is not what was stored.`, item);
  }

  function proveTree(reference: PointReference, item: string): Buffer {
    const { row } = bytesOf(reference, item);
    if (row && row.roots === undefined) throw new HoldfastError('PathNotFound', `${item} is no tree.`, item);
    return proved(reference, item);
  }

  async function acquire(scope: string, mode: LockMode, waitMs: number, signal: AbortSignal): Promise<Lock> {
    const end = clock.monotonicMs() + waitMs;
    const busy = () =>
      [...locks].some((held) => held.scope === scope && (held.mode === 'exclusive' || mode === 'exclusive'));
    while (busy()) {
      if (clock.monotonicMs() >= end)
        throw new HoldfastError('RepositoryLocked', `${scope} is locked by another run.`, scope);
      await clock.sleep(50, signal);
    }
    const held: HeldLock = { scope, mode };
    locks.add(held);
    return {
      confirm: async (current) => {
        current.throwIfAborted();
        if (!locks.has(held))
          throw new HoldfastError('RepositoryLocked', `The lock of ${scope} was taken over.`, scope);
      },
      [Symbol.asyncDispose]: async () => void locks.delete(held),
    };
  }

  function refuseOtherOrigin({ service, origin }: PointHeader): void {
    const other = [...points.values()].find(
      ({ manifest }) => manifest?.service === service && manifest.origin !== origin,
    );
    if (share || !other) return;
    throw new HoldfastError('RepositoryForeignOrigin', `Another machine wrote ${service} in ${name}.`, service);
  }

  function freeLocation(service: string, timestamp: Temporal.Instant): string {
    const utc = timestamp
      .toZonedDateTimeISO('UTC')
      .toString({ smallestUnit: 'second', offset: 'never', timeZoneName: 'never' });
    const base = `${service}/${utc.replaceAll('-', '').replaceAll(':', '').replace('T', '_')}`;
    for (let count = 1; ; count++) {
      const location = count === 1 ? base : `${base}-${count}`;
      if (!points.has(location)) return location;
    }
  }

  async function begin(header: PointHeader, lockWaitMs: number, signal: AbortSignal): Promise<Draft> {
    enter('begin', signal);
    const lock = await acquire(
      scopeName({ kind: 'service', service: header.service }),
      'exclusive',
      lockWaitMs,
      signal,
    );
    try {
      refuseOtherOrigin(header);
      if ([...points.values()].some((point) => point.header.id === header.id))
        throw new HoldfastError('Refused', `The repository ${name} has the point ${header.id} already.`, header.id);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
    const items = new Map<string, Buffer>();
    const failed = new Set<string>();

    async function put(
      method: FailingMethod,
      item: { readonly name: string; readonly file: string },
      bytes: () => Bytes,
      extra: Pick<StoredItem, 'roots'>,
      putSignal: AbortSignal,
    ): Promise<StoredItem> {
      failed.add(item.name);
      enter(method, putSignal);
      if (items.has(item.name)) throw new HoldfastError('Internal', `${item.name} was stored twice.`, item.name);
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes()) {
        putSignal.throwIfAborted();
        chunks.push(Uint8Array.from(chunk));
      }
      const stored = Buffer.concat(chunks);
      items.set(item.name, stored);
      failed.delete(item.name);
      const facts = {
        file: item.file,
        size: stored.length,
        originalSize: null,
        sha256: hashOf(stored),
        originalSha256: null,
      };
      return { ...facts, compression: 'none', encryption: null, ...extra };
    }

    return {
      workspace: tmpdir(),
      warm: async () => {},
      putStream: (item: CapturedStream, signal) => put('putStream', item, () => item.bytes(signal), {}, signal),
      putTree: (item: CapturedTree, signal) =>
        put(
          'putTree',
          { name: item.name, file: `${item.name}.tar` },
          () => item.tar({ style: 'absolute' }, signal),
          { roots: [...item.roots({ style: 'absolute' })] },
          signal,
        ),
      putCopy: (item, bytes, signal) =>
        put(
          'putCopy',
          { name: item.name, file: item.file ?? item.name },
          () => bytes,
          item.roots ? { roots: item.roots } : {},
          signal,
        ),
      reuse: async (item, from, signal) => {
        enter('reuse', signal);
        const earlier = points.get(from.location);
        const row = earlier?.manifest?.items.find((other) => other.name === item);
        const bytes = earlier?.items.get(item);
        if (!row || !bytes || earlier?.header.id !== from.id) return null;
        items.set(item, bytes);
        const { file, size, originalSize, sha256, originalSha256, compression, encryption, roots } = row;
        const fields = { size, originalSize, sha256, originalSha256, compression, encryption };
        return { ...fields, ...(file === undefined ? {} : { file }), ...(roots === undefined ? {} : { roots }) };
      },
      commit: async (manifest, hold, signal) => {
        enter('commit', signal);
        const rows = new Map(manifest.items.map((row) => [row.name, row]));
        for (const item of failed)
          if (rows.get(item)?.outcome !== 'failed') throw new HoldfastError('Refused', `Storing ${item} failed.`, item);
        for (const row of manifest.items)
          if (row.outcome !== 'failed' && !items.has(row.name))
            throw new HoldfastError('Refused', `${row.name} was never stored.`, row.name);
        if (manifest.items.every(({ outcome }) => outcome === 'failed'))
          throw new HoldfastError('Refused', `No item of ${manifest.service} was stored.`, manifest.service);
        await lock.confirm(signal);
        const kept = new Map([...items].filter(([item]) => rows.get(item)?.outcome !== 'failed'));
        const location = freeLocation(header.service, header.timestamp);
        const point = { header, manifest: structuredClone(manifest), hold, items: kept, reports: new Map() };
        points.set(location, point);
        return asPoint(location, point);
      },
      [Symbol.asyncDispose]: async () => lock[Symbol.asyncDispose](),
    };
  }

  /** Bytes whose obtaining may throw: like a real repository it throws when they are iterated. */
  async function* lazily(method: FailingMethod, signal: AbortSignal, bytes: () => Buffer): Bytes {
    enter(method, signal);
    const whole = bytes();
    for (let offset = 0; offset < whole.length; offset += 65_536) {
      signal.throwIfAborted();
      yield whole.subarray(offset, offset + 65_536);
    }
  }

  const newestFirst = (a: RecoveryPoint, b: RecoveryPoint): number =>
    Temporal.Instant.compare(b.timestamp, a.timestamp) || (a.id < b.id ? 1 : -1);

  return {
    name,
    engine: 'memory',
    capabilities: { reuse: true, partial: true, local: null, adopt, gathers: false },
    initialize: async (signal) => {
      enter('initialize', signal);
      if (initialized !== null) throw new HoldfastError('Refused', `The repository ${name} exists already.`, name);
      initialized = ulidFrom(clock.now(), createHash('sha256').update(name).digest());
      return { id: initialized };
    },
    begin,
    list: async ({ service, known = new Set() }, signal) => {
      enter('list', signal);
      const all = [...points].filter(([, { header }]) => service === undefined || header.service === service);
      return {
        locations: new Set(all.map(([location]) => location)),
        points: all
          .filter(([location]) => !known.has(location))
          .map(([location, point]) => asPoint(location, point))
          .toSorted(newestFirst),
        unreadable: [...unreadable]
          .filter(([, row]) => service === undefined || row.service === service)
          .map(([location, row]) => ({ location, ...row })),
      };
    },
    find: async (reference, signal) => {
      enter('find', signal);
      return asPoint(reference.location, found(reference));
    },
    open: (point, item, signal) => lazily('open', signal, () => proved(point, item)),
    entries: async function* (point, item, signal) {
      enter('entries', signal);
      for (const { entry } of membersOf(proveTree(point, item))) yield entry;
    },
    openTree: (point, item, path, signal) => lazily('openTree', signal, () => subsetOf(proveTree(point, item), path)),
    openFile: (point, item, path, signal) => lazily('openFile', signal, () => memberOf(proveTree(point, item), path)),
    hold: async (reference, hold, signal) => {
      enter('hold', signal);
      found(reference).hold = hold;
    },
    release: async (reference, signal) => {
      enter('release', signal);
      found(reference).hold = null;
    },
    writeReport: async (reference, report, text, json, signal) => {
      enter('writeReport', signal);
      found(reference).reports.set(report, { text, json: structuredClone(json) });
    },
    remove: async (reference, signal) => {
      enter('remove', signal);
      const point = points.get(reference.location);
      if (point?.header.id !== reference.id) return;
      const scope = scopeName({ kind: 'point', id: reference.id });
      if ([...locks].some((held) => held.scope === scope && held.mode === 'shared'))
        throw new HoldfastError('RepositoryLocked', `The point ${reference.id} is being read.`, reference.id);
      points.delete(reference.location);
    },
    lock: async (scope, mode, waitMs, signal) => {
      enter('lock', signal);
      return acquire(scopeName(scope), mode, waitMs, signal);
    },
    unlock: async ({ force }, signal) => {
      enter('unlock', signal);
      if (!force) return []; // whoever holds a lock here runs: it is this process
      const removed = [...locks].map(({ scope, mode }) => `${mode} lock of ${scope}`);
      locks.clear();
      return removed;
    },
    checkRest: async (_point, signal) => {
      enter('checkRest', signal);
      return [];
    },
    check: async (signal) => {
      enter('check', signal);
      return [...unreadable].map(([subject, { problem }]) => ({ subject, detail: problem }));
    },

    failNext: (method, error) => void faults.set(method, [...(faults.get(method) ?? []), error]),
    damage: (location, item) => {
      const bytes = points.get(location)?.items.get(item);
      if (!bytes || bytes.length === 0) throw new Error(`There is no byte of ${item} at ${location} to damage.`);
      const copy = Buffer.from(bytes); // a reused item shares its bytes with another point
      copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
      points.get(location)?.items.set(item, copy);
    },
    stored: (location, item) => points.get(location)?.items.get(item),
    report: (location, report) => points.get(location)?.reports.get(report),
    lose: (location) => void points.delete(location),
    addUnreadable: (location, service, problem) => void unreadable.set(location, { service, problem }),
    addForeign: (location, service, timestamp, tar) => {
      const id = ulidFrom(timestamp, createHash('sha256').update(location).digest());
      const header = { id, service, timestamp };
      points.set(location, {
        header,
        manifest: null,
        hold: null,
        items: new Map([['archive', tar]]),
        reports: new Map(),
      });
    },
  };
}
