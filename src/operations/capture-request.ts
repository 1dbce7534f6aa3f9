import type { Writer } from '../domain/containers.ts';
import type { AnomalyBounds, ServiceDefinition } from '../domain/definitions.ts';
import type { PointHeader } from '../ports/repository.ts';
import type { Source } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import type { SourceReading } from './source-snapshots.ts';
import type { Stopped } from './units.ts';

/** What was down while a service was read. */
export interface Stop {
  readonly stopped: readonly Stopped[];
  /** From the first stop to the last start. */
  readonly downtimeMs: number;
  /** When the last one was started, by the monotonic clock. */
  readonly startedMs: number;
  /** How the sources of trees were read. */
  readonly readings: readonly SourceReading[];
}

export interface CaptureRequest {
  readonly service: ServiceDefinition;
  /** One for each source of the service, in their order. */
  readonly sources: readonly Source[];
  readonly plan: string | null;
  /** `regular` when left out. */
  readonly type?: PointHeader['type'];
  /** A ULID that is known already, as guard's of a point that is also images and snapshots; made when left out. */
  readonly id?: string;
  readonly timezone: string;
  readonly anomaly: AnomalyBounds;
  readonly lossAccepted: boolean;
  readonly lockWaitMs: number;
  /** Another repository can still take the point: a failure of this one gives the point up. */
  readonly anotherRepository: boolean;
  /** Whether an item of a source is stored; all are when left out. */
  readonly wants?: (source: Source, item: string) => boolean;
  /** Items that are stored side by side; 2 when left out. */
  readonly jobs?: number | undefined;
  /** Stopped while the sources are read. */
  readonly units: readonly Unit[];
  /** Stopped before these, and left down. */
  readonly unitsForGood?: readonly Unit[];
  /** Containers that can write to what is read; left out where nobody looked. */
  readonly writers?: readonly Writer[];
  /** Sources that are not read, and why: what prepares them failed. */
  readonly unprepared?: ReadonlyMap<string, unknown>;
  /** Called once the units run again, with what was stopped. */
  readonly onStopped?: (stop: Stop) => void;
  /** Called with why snapshots that were read could not be removed again. */
  readonly onLeftSnapshots?: (error: unknown) => void;
  /** Called with what is wrong with the units although the sources were read. */
  readonly onUnitProblem: (error: unknown) => void;
}
