import type { Compression, Sealing } from '../../../domain/storage.ts';
import type { Clock, Identifiers } from '../../../ports/clock.ts';
import type { Host } from '../../../ports/host.ts';
import type { Owners } from '../../../ports/owner.ts';

/** A repository of this engine as it was declared, secrets resolved. */
export interface ArchiveSettings {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly layout: 'folder' | 'single';
  /** The pattern of an archive's name, as strftime(3) reads it; layout `single` only. */
  readonly filename?: string | undefined;
  readonly compression: Compression;
  readonly sealing: Sealing | null;
  /** True when several machines may write one service. */
  readonly share: boolean;
  /** True when archives that another tool made may be removed by age. */
  readonly adopt: boolean;
  /** The services that plans store here: a foreign archive is theirs when there is one only. */
  readonly services?: readonly string[] | undefined;
  /** IANA name in which the times of foreign archives' names are read; the machine's when left out. */
  readonly timezone?: string | undefined;
}

/** What the engine needs of the machine. */
export interface ArchiveTools {
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  readonly owners: Owners;
  /** Runs gpg, where the machine that Holdfast runs on has it. */
  readonly host: Host;
  /** Milliseconds since the machine's start, suspended time included; `os.uptime` when left out. */
  readonly uptimeMs?: () => number;
}
