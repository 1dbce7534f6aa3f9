import { SOURCES } from '../adapters/registry.ts';
import type {
  AnomalyBounds,
  PlanDefinition,
  PoolDefinition,
  Retention,
  ServiceDefinition,
  SourceDefinition,
  SubvolumeDefinition,
} from '../domain/definitions.ts';
import { parseDuration } from '../domain/duration.ts';
import { DEFAULT_OBJECTIVES } from '../domain/objectives.ts';
import { parsePercentage } from '../domain/size.ts';
import { PLANNED_KINDS } from './planned/kinds.ts';
import { placeOf, type RepositoryPlace } from './repositories.ts';
import type { Configuration, PlanConfiguration, PoolConfiguration, ServiceConfiguration } from './schema.ts';

/** What the configuration declares, ready for the operations. Maps keep the order of the configuration. */
export interface Definitions {
  readonly services: ReadonlyMap<string, ServiceDefinition>;
  /** Plans over services; those over subvolumes are not built yet. */
  readonly plans: ReadonlyMap<string, PlanDefinition>;
  readonly repositories: ReadonlyMap<string, RepositoryPlace>;
  readonly pools: ReadonlyMap<string, PoolDefinition>;
}

/** @param machineZone IANA name, for plans that say none */
export function definitionsOf(configuration: Configuration, machineZone: string): Definitions {
  const { services = {}, plans = {}, repositories = {}, pools = {} } = configuration;
  const all = Object.keys(services);
  const planned = Object.entries(plans).filter(([, plan]) => plan.services !== undefined);
  return {
    services: new Map(Object.entries(services).map(([name, service]) => [name, serviceOf(name, service)])),
    plans: new Map(planned.map(([name, plan]) => [name, planOf(name, plan, all, machineZone)])),
    repositories: new Map(Object.entries(repositories).map(([name, config]) => [name, placeOf(name, config)])),
    pools: new Map(Object.entries(pools).map(([name, pool]) => [name, poolOf(name, pool)])),
  };
}

function serviceOf(name: string, config: ServiceConfiguration): ServiceDefinition {
  return {
    name,
    host: config.host ?? 'local',
    tier: config.tier ?? 'important',
    objectives: {
      rpo: secondsOf(config.objectives?.rpo, DEFAULT_OBJECTIVES.rpo),
      rto: secondsOf(config.objectives?.rto, DEFAULT_OBJECTIVES.rto),
    },
    sources: Object.entries(config.sources).map(([source, settings]) => sourceOf(source, settings)),
    units: config.units ?? [],
    checks: config.checks ?? [],
    stopDuring: { backup: config.stopDuring?.backup ?? false, restore: config.stopDuring?.restore ?? true },
  };
}

const secondsOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : parseDuration(text);

function poolOf(name: string, config: PoolConfiguration): PoolDefinition {
  return {
    name,
    path: config.path,
    kind: config.kind ?? null,
    snapshotsFolder: config.snapshots ?? 'snapshots',
    share: config.share === undefined ? null : parsePercentage(config.share),
    subvolumes: new Map(
      Object.entries(config.subvolumes ?? {}).map(([subvolume, settings]) => [subvolume, subvolumeOf(settings)]),
    ),
  };
}

type SubvolumeConfiguration = NonNullable<PoolConfiguration['subvolumes']>[string];

const subvolumeOf = (config: SubvolumeConfiguration): SubvolumeDefinition => ({
  units: config?.units ?? [],
  checks: config?.checks ?? [],
  dependsOn: config?.dependsOn ?? [],
  nested: config?.nested ?? null,
});

const KINDS = [...SOURCES.keys(), ...PLANNED_KINDS];

function sourceOf(name: string, settings: unknown): SourceDefinition {
  const kind = KINDS.find((one) => Object.hasOwn(Object(settings), one));
  if (kind === undefined) throw new TypeError(`The source ${name} has passed its schema and is of no kind.`);
  return { name, kind, settings };
}

/** Retention that is not configured keeps all. */
function retentionOf({ within, leeway, ...counts }: NonNullable<PlanConfiguration['retention']>): Retention {
  return {
    ...counts,
    ...(within === undefined ? {} : { within: parseDuration(within) }),
    ...(leeway === undefined ? {} : { leeway: parseDuration(leeway) }),
  };
}

/** The bounds of the contract's example are the defaults. */
function anomalyOf(config: PlanConfiguration['anomaly']): AnomalyBounds {
  if (config === false) return false;
  return { shrink: parsePercentage(config?.shrink ?? '50%'), grow: parsePercentage(config?.grow ?? '300%') };
}

function planOf(name: string, plan: PlanConfiguration, all: readonly string[], machineZone: string): PlanDefinition {
  return {
    name,
    services: plan.services === '*' ? all : (plan.services ?? []),
    repositories: plan.repositories ?? [],
    retention: retentionOf(plan.retention ?? {}),
    timezone: plan.timezone ?? machineZone,
    anomaly: anomalyOf(plan.anomaly),
    verify: plan.verify ? { level: plan.verify.level ?? 'sound' } : null,
  };
}
