import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { PlanDefinition, ServiceDefinition } from '../../src/domain/definitions.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import { DEFAULT_OBJECTIVES } from '../../src/domain/objectives.ts';
import { SETTLE_DEFAULTS } from '../../src/domain/settling.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { BackupRequest } from '../../src/operations/backup.ts';
import { backup } from '../../src/operations/backup.ts';
import type { Context } from '../../src/operations/context.ts';
import type { ProgressEvent } from '../../src/ports/progress.ts';
import type { Snapshotter } from '../../src/ports/snapshotter.ts';
import type { Finding, ItemFormat, Source } from '../../src/ports/source.ts';
import { ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import { type TestClock, testClock } from '../fakes/clock.ts';
import { type MemoryContainers, memoryContainers } from '../fakes/containers.ts';
import { type MemoryRepository, memoryRepository } from '../fakes/repository.ts';
import { type MemoryUnit, openFrom } from '../fakes/unit.ts';
import { type TestSource, testSource } from './source.ts';
import { portsOf } from './step-ports.ts';

export const signal = AbortSignal.timeout(600_000);

/** Services with sources in memory, repositories in memory, the real journal and the real host. */
export interface House extends Disposable {
  readonly context: Context;
  readonly clock: TestClock;
  readonly events: ProgressEvent[];
  readonly services: Map<string, ServiceDefinition>;
  readonly plans: Map<string, PlanDefinition>;
  readonly first: MemoryRepository;
  readonly second: MemoryRepository;
  /** By the names of their references. */
  readonly units: Map<string, MemoryUnit>;
  readonly containers: MemoryContainers;
  /** By name. */
  readonly pools: Map<string, Snapshotter>;
  /** What `context.repository` throws in place of answering, by name. */
  readonly unreachable: Map<string, HoldfastError>;
  /** What the format of each kind finds; kinds that are not in it are not built. */
  readonly findings: Map<string, () => readonly Finding[]>;
  /** Changes what a plan says from now on, also in the configuration that manifests keep. */
  configure(plan: PlanDefinition): void;
  /** Defines a service, or adds a source to one. */
  source(name: string, service?: string): TestSource;
  backUp(request?: Partial<BackupRequest>): ReturnType<typeof backup>;
}

export const aPlan = (options: Partial<PlanDefinition> = {}): PlanDefinition => ({
  ...{ name: 'nightly', services: ['mealie'], repositories: ['first'], retention: {}, timezone: 'UTC' },
  ...{ anomaly: { shrink: 0.5, grow: 3 }, verify: null },
  ...options,
});

export async function house(): Promise<House> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'operations-')));
  const clock = testClock('2026-05-01T02:00:00Z');
  const [first, second] = [memoryRepository({ name: 'first', clock }), memoryRepository({ name: 'second', clock })];
  for (const repository of [first, second]) await repository.initialize(signal);
  const services = new Map<string, ServiceDefinition>();
  const plans = new Map<string, PlanDefinition>();
  const sources = new Map<string, Source>();
  const unreachable = new Map<string, HoldfastError>();
  const findings: House['findings'] = new Map();
  const events: ProgressEvent[] = [];
  const identifiers = ulids();
  const configuration = {
    plans: {} as Record<string, { retention: object }>,
    services: {} as Record<string, { sources: Record<string, object> }>,
  };
  const catalog = memoryCatalog();
  const units: House['units'] = new Map();
  const unit = openFrom(units);
  const containers = memoryContainers();
  const pools: House['pools'] = new Map();
  const snapshotter = async (name: string): Promise<Snapshotter> => {
    const pool = pools.get(name);
    if (pool !== undefined) return pool;
    throw new Error(`No pool ${name} is opened here.`);
  };
  const ports = { ...portsOf(catalog), unit, snapshotter };
  const journal = openJournal(join(folder, 'journal.db'), { clock, identifiers, owners: systemOwners(), ports });
  const context: Context = {
    ...{ clock, identifiers, services, plans, configuration, catalog },
    ...{
      repositoryNames: ['first', 'second'],
      origin: 'here',
      version: '0',
      machine: 'backup',
      stateFolder: folder,
      forbiddenPaths: [],
      guardedBy: [],
    },
    progress: (event) => void events.push(event),
    repository: async (name) => {
      const error = unreachable.get(name);
      if (error !== undefined) throw error;
      return name === 'first' ? first : second;
    },
    unit,
    containers: async () => containers,
    snapshotter,
    snapshotPlace: async () => ({ why: 'memory has no snapshots' }),
    source: async (service, { name }) => {
      const source = sources.get(`${service.name} ${name}`);
      if (source !== undefined) return source;
      throw new HoldfastError('Unsupported', `The kind of ${name} is not built.`, name);
    },
    format: async (kind) => formatOf(kind, findings),
    host: async () => localHost(),
    journal: async () => journal,
    settling: SETTLE_DEFAULTS,
    checks: async () => [],
  };
  return {
    ...{ context, clock, events, services, plans, first, second, units, containers, pools, unreachable, findings },
    configure: (plan) => {
      plans.set(plan.name, plan);
      configuration.plans = { ...configuration.plans, [plan.name]: { retention: plan.retention } };
    },
    source: (name, service = 'mealie') => {
      const source = testSource(name);
      sources.set(`${service} ${name}`, source);
      const before = services.get(service) ?? aService(service);
      const definition = { name, kind: source.kind, settings: source.settings };
      services.set(service, { ...before, sources: [...before.sources, definition] });
      configuration.services[service] ??= { sources: {} };
      configuration.services[service].sources[name] = { files: [`/srv/${name}`] };
      return source;
    },
    backUp: (request = {}) =>
      backup(
        { services: [], plan: null, repositories: [], acceptLoss: [], lockWaitMs: 0, ...request },
        context,
        signal,
      ),
    [Symbol.dispose]: () => {
      journal[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const aService = (name: string): ServiceDefinition => ({
  ...{ name, host: 'local', tier: 'critical', objectives: DEFAULT_OBJECTIVES, sources: [], units: [], checks: [] },
  stopDuring: { backup: false, restore: true },
});

function formatOf(kind: string, findings: House['findings']): ItemFormat {
  const found = findings.get(kind);
  if (found === undefined) throw new HoldfastError('Unsupported', `The kind ${kind} is not built.`, kind);
  return {
    ...{ kind, tree: true, facts: async () => ({}) },
    inspect: async (bytes) => {
      for await (const chunk of bytes) if (chunk.length === 0) break;
      return found();
    },
  };
}
