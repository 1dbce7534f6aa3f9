/** What the configuration declares, in the words of the domain: durations in seconds, sizes in bytes. */

import type { Objectives } from './objectives.ts';

export type Tier = 'critical' | 'important' | 'replaceable';

export interface Retention {
  readonly latest?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
  /** Seconds before the newest passed, unheld, own point that is not in the future. */
  readonly within?: number;
  /** Seconds that a point may be older than `within` says: a run that began late takes no point too many. */
  readonly leeway?: number;
}

/** Shares: 0.5 is 50 %. `false` switches the detection off. */
export type AnomalyBounds = { readonly shrink: number; readonly grow: number } | false;

export interface PlanDefinition {
  readonly name: string;
  readonly services: readonly string[];
  readonly repositories: readonly string[];
  readonly retention: Retention;
  /** IANA name; days, weeks and names of archives are cut in it. */
  readonly timezone: string;
  readonly anomaly: AnomalyBounds;
  readonly verify: { readonly level: 'readable' | 'sound' } | null;
}

export interface SourceDefinition {
  readonly name: string;
  readonly kind: string;
  /** The kind's own settings, already checked by its schema. */
  readonly settings: unknown;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly host: string;
  readonly tier: Tier;
  readonly objectives: Objectives;
  readonly sources: readonly SourceDefinition[];
  /** Declared units and checks as configured; the adapters of later versions read them. */
  readonly units: readonly unknown[];
  readonly checks: readonly unknown[];
  readonly stopDuring: { readonly backup: boolean | 'sharing'; readonly restore: boolean };
}

/** What a rollback of one subvolume stops, checks and takes along. */
export interface SubvolumeDefinition {
  /** Declared units and checks as configured. */
  readonly units: readonly unknown[];
  readonly checks: readonly unknown[];
  /** Other subvolumes, declared or not, that are taken back together with it. */
  readonly dependsOn: readonly string[];
  /** What becomes of subvolumes inside it; null when they are refused. */
  readonly nested: 'move' | null;
}

/** Where instant snapshots live. */
export interface PoolDefinition {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** Null when it is found out. */
  readonly kind: 'btrfs' | 'reflink' | 'copy' | null;
  /** A folder inside the path. */
  readonly snapshotsFolder: string;
  /** How much of the pool snapshots may hold before health warns: 0.1 is 10 %. Null for no limit. */
  readonly share: number | null;
  readonly subvolumes: ReadonlyMap<string, SubvolumeDefinition>;
}
