import type { Container } from '../domain/containers.ts';

export interface Execution {
  readonly container: string;
  readonly argv: readonly string[];
  /** Whose command it is, for people: `archive-pre`. */
  readonly purpose: string;
  /** An account of the container; its own when null. */
  readonly user: string | null;
  /** Each line that it prints, on stdout or stderr. */
  readonly onLine: (line: string) => void;
}

/** The containers of this machine's engine. */
export interface Containers {
  /** Whether an engine seems to be there: its socket is, or its client is told where it is. Nothing is asked. */
  readonly present: boolean;
  /** All of them. One that goes meanwhile is left out. @throws ToolMissing, ProcessFailed when the engine is away */
  list(signal: AbortSignal): Promise<readonly Container[]>;
  /** Runs a program in a container that runs, with the container's own variables. After an abort it may go on inside.
   *  @throws ProcessFailed when it ends with anything but 0 */
  execute(execution: Execution, signal: AbortSignal): Promise<void>;
}
