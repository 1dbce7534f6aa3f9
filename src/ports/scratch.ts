import type { Facts } from '../domain/facts.ts';
import type { Item, Tool } from '../domain/manifest.ts';
import type { Bytes } from './bytes.ts';
import type { Command, Host } from './host.ts';
import type { Cell } from './source.ts';
import type { Validator } from './validator.ts';

/** An account that a scratch server runs under. */
export interface ScratchAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What a drill makes outside of its folder, by a name that nobody else bears. */
export type MadeOutside =
  | { readonly kind: 'container'; readonly name: string }
  | { readonly kind: 'database'; readonly service: string; readonly source: string; readonly database: string };

/** Where the scratch instances of one drill live. Whatever is made in the folder, and each program that `host` starts,
 *  with all its descendants, is ended and removed after the drill, or by the next command that writes. */
export interface ScratchPlace {
  /** Exists; other accounts may pass through it and not look into it. */
  readonly folder: string;
  /** Nobody else bears it: small letters, digits and `-`. */
  readonly name: string;
  /** This machine, or a container that has the folder at the same path. Its programs are known as the drill's. */
  readonly host: Host;
  /** A host whose programs are known as the drill's. */
  mark(host: Host): Host;
  /** Records durably what is made outside of the folder, then makes it: it is removed as all the rest is.
   *  @throws TargetExists when it is there already */
  keep(made: MadeOutside, make: () => Promise<void>): Promise<void>;
  /** Whether servers run without a network and without the sockets of others, so that nothing that is restored reaches a
   *  live service. */
  readonly isolated: boolean;
  /** The first of these accounts that there is, when the caller is root; null when it is the caller's own.
   *  @throws ScratchUnusable when there is none of them */
  account(names: readonly string[], signal: AbortSignal): Promise<ScratchAccount | null>;
  /** A program under that account. */
  as(account: ScratchAccount | null, command: Command): Command;
  /** A server under that account, without a network where that can be had. */
  server(account: ScratchAccount | null, command: Command): Command;
}

/** An isolated target that the items of one source are restored into, and counted. What every implementation owes:
 *  - it is reached through its folder alone: no port, no data and no account of a live instance;
 *  - what cannot be told of the items, because the instance lacks something or ended, is ScratchUnusable. */
export interface Scratch extends AsyncDisposable {
  /** What restores, beside what dumped. */
  readonly tool: Tool;
  /** The connection for checks, as `HOLDFAST_<SOURCE>_URL`; of what was restored so far. Null where there is none. */
  url(): string | null;
  /** Puts an item back; its bytes can be had more than once. @returns what was left out, for people */
  restore(item: Item, bytes: () => Bytes, signal: AbortSignal): Promise<readonly string[]>;
  /** Counts what an item became, as the capture counts. */
  facts(item: Item, signal: AbortSignal): Promise<Facts>;
  /** The first cell of what a restored database answers. @throws Unsupported; QueryFailed */
  query(sql: string, signal: AbortSignal): Promise<Cell>;
}

/** Starts an instance for the items of one source in an empty folder of its own.
 *  @throws ScratchUnusable when it cannot be had here, and says what is missing */
export type OpenScratch = (
  source: string,
  items: readonly Item[],
  place: ScratchPlace,
  signal: AbortSignal,
) => Promise<Scratch>;

/** How the instance for the items of one source is had. */
export interface ScratchWay {
  readonly open: OpenScratch;
  /** Whether what is restored lies in the drill's folder, and takes its space. */
  readonly inFolder: boolean;
}

/** What no check reaches: one that looked at the live service would prove nothing of its copy. */
export interface LiveData {
  /** Where live servers listen, as the configuration has it: sockets, or folders of them. */
  readonly sockets: readonly string[];
  /** Folders and files in whose place a check finds what was restored, outer ones first. `made`: it lies in one that was
   *  replaced before, which need not have it. */
  readonly replaced: readonly { readonly path: string; readonly by: string; readonly made: boolean }[];
  /** Files and folders that it does not find: one that names them in its words is not made. */
  readonly hidden: readonly string[];
}

/** What a service became in a drill, for its own checks. */
export interface RestoredCopy {
  /** The working folder of checks: what was written as files, under the names of their tars. */
  readonly folder: string;
  /** What a program is told. */
  readonly environment: Readonly<Record<string, string>>;
  readonly live: LiveData;
  /** Asks the restored copy of a source. @throws Unsupported; QueryFailed */
  query(source: string, sql: string, signal: AbortSignal): Promise<Cell>;
}

/** A declared check, bound to the restored copy. */
export interface RestoredCheck {
  readonly name: string;
  /** Null when it is not made. */
  readonly validator: Validator | null;
  /** Why it is not made. */
  readonly reason: string;
}
