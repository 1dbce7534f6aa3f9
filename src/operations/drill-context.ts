import type { ServiceDefinition } from '../domain/definitions.ts';
import type { RestoredCheck, RestoredCopy, ScratchPlace, ScratchWay } from '../ports/scratch.ts';
import type { Context } from './context.ts';

/** What a drill reaches beside what every operation does. */
export interface DrillContext extends Context {
  /** How an instance for items of a kind is opened, by the source of a service that they were captured from where that is
   *  configured still; null for a kind whose items are files. Nothing is asked of anybody yet.
   *  @throws Unsupported for one that is not built */
  scratch(kind: string, service: string, source: string): Promise<ScratchWay | null>;
  /** A folder of this machine, which exists, as the place of scratch instances.
   *  @param liveSockets on which live servers listen, or folders of them, as the configuration has it */
  scratchPlace(
    folder: string,
    keep: ScratchPlace['keep'],
    liveSockets: readonly string[],
    signal: AbortSignal,
  ): Promise<ScratchPlace>;
  /** The declared checks of a service, for its restored copy. Nothing is looked at yet. */
  restoredChecks(
    service: ServiceDefinition,
    copy: RestoredCopy,
    place: ScratchPlace,
    signal: AbortSignal,
  ): Promise<readonly RestoredCheck[]>;
}
