import type { PlanDefinition, ServiceDefinition, SourceDefinition } from '../domain/definitions.ts';
import type { SettleSettings } from '../domain/settling.ts';
import type { Journal } from '../journal/journal.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock, Identifiers } from '../ports/clock.ts';
import type { Containers } from '../ports/containers.ts';
import type { Host } from '../ports/host.ts';
import type { Progress } from '../ports/progress.ts';
import type { Repository } from '../ports/repository.ts';
import type { SnapshotPlace, Snapshotter } from '../ports/snapshotter.ts';
import type { ItemFormat, Source } from '../ports/source.ts';
import type { Unit, UnitReference } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';

/** All that an operation can reach. Each names the part it uses: `Pick<Context, 'catalog' | 'clock'>`. */
export interface Context {
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  readonly catalog: Catalog;
  readonly progress: Progress;
  /** The id of this state folder (interface, section 10, line 5). */
  readonly origin: string;
  readonly version: string;
  /** What manifests call the host `local`: this machine's name. */
  readonly machine: string;
  readonly stateFolder: string;
  readonly services: ReadonlyMap<string, ServiceDefinition>;
  readonly plans: ReadonlyMap<string, PlanDefinition>;
  /** In the order of the configuration. */
  readonly repositoryNames: readonly string[];
  /** Paths that no source may capture: local repositories, the state folder, staging. */
  readonly forbiddenPaths: readonly string[];
  /** The merged configuration with its secrets masked, stored in each manifest. */
  readonly configuration: unknown;
  /** Opened at the first call: secrets are resolved, the marker is looked for. Later calls get the same one.
   *  @throws RepositoryNotFound, WrongPassword, SecretMissing, Unsupported; ConfigurationInvalid for an unknown name */
  repository(name: string): Promise<Repository>;
  /** @throws Unsupported for a kind that is not built */
  source(service: ServiceDefinition, source: SourceDefinition): Promise<Source>;
  /** By the kind that a manifest has. @throws Unsupported */
  format(kind: string): Promise<ItemFormat>;
  /** @throws Unsupported for a host that is not built */
  host(name: string): Promise<Host>;
  /** Nothing is asked of it yet. @throws Unsupported for a kind or a host that is not built */
  unit(reference: UnitReference): Promise<Unit>;
  /** Opened at the first call. @throws PoolUnusable; ConfigurationInvalid for an unknown name */
  snapshotter(pool: string): Promise<Snapshotter>;
  /** Where a path of this machine can be read from a snapshot, or why it cannot.
   *  @param path absolute, with no symbolic link in it */
  snapshotPlace(path: string, signal: AbortSignal): Promise<SnapshotPlace | { readonly why: string }>;
  /** Those of this machine's engine. Nothing is asked of it yet. */
  containers(): Promise<Containers>;
  /** How long checks are tried. */
  readonly settling: SettleSettings;
  /** The snapshots and points of the guards whose commands this process belongs to: these are not waited for. */
  readonly guardedBy: readonly string[];
  /** The declared checks of a service. Nothing is looked at yet. @throws Unsupported for what this version cannot ask */
  checks(service: ServiceDefinition): Promise<readonly Validator[]>;
  /** Opened at the first call, and closed by whoever made the context: only what moves things needs it. */
  journal(): Promise<Journal>;
}
