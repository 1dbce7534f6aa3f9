import type { ServiceDefinition } from '../domain/definitions.ts';
import type { OpenScratch, RestoredCheck, RestoredCopy, ScratchPlace } from '../ports/scratch.ts';
import type { Context } from './context.ts';

/** What a drill reaches beside what every operation does. */
export interface DrillContext extends Context {
  /** How an instance for items of a kind is opened; null for a kind whose items are files.
   *  @throws Unsupported for one that is not built */
  scratch(kind: string): Promise<OpenScratch | null>;
  /** A folder of this machine, which exists, as the place of scratch instances. */
  scratchPlace(folder: string, signal: AbortSignal): Promise<ScratchPlace>;
  /** The declared checks of a service, for its restored copy. Nothing is looked at yet. */
  restoredChecks(
    service: ServiceDefinition,
    copy: RestoredCopy,
    place: ScratchPlace,
    signal: AbortSignal,
  ): Promise<readonly RestoredCheck[]>;
}
