import type { Command, Finished } from '../ports/host.ts';

/** One program that runs somewhere else, as in a container, through a client that runs here. */
export interface Entered {
  /** The client. */
  readonly command: Command;
  /** True for a line of stderr that is not the program's own; nobody else sees it then. */
  takeLine(line: string): boolean;
  /** Ends the program and its descendants: the end of the client leaves them running. */
  stop(): Promise<void>;
  /** What the client's end says of the program. @throws ToolMissing, SourceMissing, ProcessFailed when it never started */
  judge(finished: Finished): Finished;
}

/** Makes the client for a program; the account and the working folder are its business. */
export type Enter = (command: Command) => Entered;
