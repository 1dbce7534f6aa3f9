import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { PoolDefinition, SubvolumeDefinition } from '../../src/domain/definitions.ts';
import { GUARD_DEFAULTS, type GuardSettings } from '../../src/domain/guard.ts';
import { SETTLE_DEFAULTS } from '../../src/domain/settling.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { GuardContext } from '../../src/operations/guard-context.ts';
import { recordFinishedRecovery, recordFoundSnapshot } from '../../src/operations/left-guards.ts';
import type { Catalog, Recovery, Snapshot } from '../../src/ports/catalog.ts';
import type { Host } from '../../src/ports/host.ts';
import type { MountTable, Occupancy } from '../../src/ports/occupancy.ts';
import type { ProgressEvent } from '../../src/ports/progress.ts';
import type { Snapshotter } from '../../src/ports/snapshotter.ts';
import type { Validator } from '../../src/ports/validator.ts';
import { ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import { type TestClock, testClock } from '../fakes/clock.ts';
import { memoryContainers } from '../fakes/containers.ts';
import { type MemorySnapshotter, memorySnapshotter } from '../fakes/snapshotter.ts';
import { type MemoryUnit, memoryUnit, openFrom } from '../fakes/unit.ts';

export const signal = AbortSignal.timeout(600_000);

/** Mounts and processes as a test says they are, by path. */
export interface MemoryMounts extends MountTable {
  readonly at: Map<string, Partial<Occupancy>>;
  /** What was changed, in order: `hide /srv`, `show /srv`. */
  readonly calls: string[];
}

const NOBODY: Occupancy = { occupants: [], own: [], foreign: [], inner: [] };

export function memoryMounts(calls: string[]): MemoryMounts {
  const at: MemoryMounts['at'] = new Map();
  return {
    ...{ at, calls },
    occupancy: async (path) => ({ ...NOBODY, ...at.get(path) }),
    show: async ({ point }) => void calls.push(`show ${point}`),
    hide: async (point) => void calls.push(`hide ${point}`),
  };
}

/** A pool, units, mounts and validators in memory; a real journal. */
export interface GuardHouse extends Disposable {
  readonly context: GuardContext;
  readonly clock: TestClock;
  readonly catalog: Catalog;
  readonly pool: MemorySnapshotter;
  readonly mounts: MemoryMounts;
  readonly journal: Journal;
  readonly events: ProgressEvent[];
  readonly validators: Validator[];
  /** Calls of units and mounts in one order. */
  readonly calls: string[];
  unit(name: string): MemoryUnit;
  declare(subvolume: string, definition?: Partial<SubvolumeDefinition>): void;
  settings(changed: Partial<GuardSettings>): void;
  /** The journal as the next process that starts opens it. */
  reopened(): Journal;
}

export interface GuardHouseOptions {
  readonly folder?: string;
  readonly atomic?: boolean;
  /** A real one in place of the one in memory. */
  readonly snapshotter?: Snapshotter;
  readonly mounts?: MountTable;
  readonly catalog?: Catalog;
  /** By the names of their references. */
  readonly units?: Map<string, MemoryUnit>;
}

export function guardHouse(options: GuardHouseOptions = {}): GuardHouse {
  const folder = options.folder ?? realpathSync(mkdtempSync(join(tmpdir(), 'guard-')));
  const clock = testClock('2026-11-21T14:30:00Z');
  const calls: string[] = [];
  const memory = memorySnapshotter({ clock, atomic: options.atomic ?? true });
  const pool = options.snapshotter ?? memory;
  const mounts = memoryMounts(calls);
  const catalog = options.catalog ?? memoryCatalog();
  const subvolumes = new Map<string, SubvolumeDefinition>();
  const units = options.units ?? new Map<string, MemoryUnit>();
  const events: ProgressEvent[] = [];
  const validators: Validator[] = [];
  const identifiers = ulids();
  const mountTable = options.mounts ?? mounts;
  const ports = {
    host: async () => localHost(),
    unit: openFrom(units),
    recordRecovery: (recovery: Recovery) => recordFinishedRecovery(recovery, catalog),
    snapshotter: async () => pool,
    recordNewSnapshot: (snapshot: Snapshot) => recordFoundSnapshot(snapshot, catalog),
    mounts: mountTable,
    endScratch: async () => Promise.reject(new Error('Nothing is drilled here.')),
    removeContainer: async () => Promise.reject(new Error('Nothing is drilled here.')),
    databases: async () => Promise.reject(new Error('No server is opened here.')),
  };
  const open = (): Journal =>
    openJournal(join(folder, 'journal.db'), { clock, identifiers, owners: systemOwners(), ports });
  const journal = open();
  const definition: PoolDefinition = {
    ...{ name: 'main', path: pool.path, kind: null, snapshotsFolder: 'snapshots', share: null, subvolumes },
  };
  const notHere = async (): Promise<never> => Promise.reject(new Error('This is not part of the test.'));
  const context: { -readonly [Key in keyof GuardContext]: GuardContext[Key] } = {
    ...{ clock, identifiers, catalog, origin: 'here', version: '0', machine: 'backup', stateFolder: folder },
    ...{ services: new Map(), plans: new Map(), repositoryNames: [], forbiddenPaths: [], configuration: {} },
    ...{ repository: notHere, source: notHere, format: notHere, unit: openFrom(units) },
    ...{ checks: notHere, settling: SETTLE_DEFAULTS, guardedBy: [], containers: async () => memoryContainers() },
    host: async () => (options.snapshotter === undefined ? hostOf(memory) : localHost()),
    ...{ pools: new Map([['main', definition]]), guard: { ...GUARD_DEFAULTS, minFree: 0.1 }, zone: 'UTC' },
    ...{ mounts: mountTable, ownPaths: [folder], snapshotter: async () => pool },
    progress: (event) => void events.push(event),
    snapshotPlace: async () => ({ why: 'memory has no snapshots' }),
    journal: async () => journal,
    validators: async () => validators,
  };
  return {
    ...{ context, clock, catalog, pool: memory, mounts, journal, events, validators, calls },
    unit(name) {
      const reference = { kind: 'systemd', host: 'local', unit: name, user: null } as const;
      const unit = units.get(name) ?? memoryUnit({ reference, calls });
      units.set(name, unit);
      return unit;
    },
    declare: (name, changed = {}) =>
      void subvolumes.set(name, { units: [], checks: [], dependsOn: [], nested: null, ...changed }),
    settings: (changed) => {
      context.guard = { ...context.guard, ...changed };
    },
    reopened: open,
    [Symbol.dispose]: () => {
      journal[Symbol.dispose]();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** This machine, with a pool in memory on it. */
function hostOf(pool: MemorySnapshotter): Host {
  const host = localHost();
  const list: Host['files']['list'] = async (path, aborted) =>
    path === pool.snapshotsPath ? (await pool.list(aborted)).map(({ name }) => name) : host.files.list(path, aborted);
  return { ...host, files: { ...host.files, list } };
}
