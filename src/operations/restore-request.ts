import type { KeptAside } from './in-place-kept.ts';
import type { PointQuery } from './point-selection.ts';

export const OVERWRITE = ['always', 'if-newer', 'never'] as const;
/** What happens to a file that is already there: replaced, replaced when the stored one was changed later, left as it is. */
export type Overwrite = (typeof OVERWRITE)[number];

export type RestoreTarget =
  /** Absolute path of a folder on this machine; it need not exist. */
  | {
      readonly kind: 'folder';
      readonly path: string;
      readonly overwrite?: Overwrite | undefined;
      readonly keepPartial?: boolean;
    }
  | {
      readonly kind: 'in-place';
      /** Restore although processes hold paths that need not be let go of. */
      readonly live?: boolean;
      /** Go on although the present state cannot be kept by a safety point. */
      readonly withoutSafety?: boolean;
    }
  | { readonly kind: 'database'; readonly name: string };

export interface RestoreRequest extends PointQuery {
  /** Names of items or of sources; all items when left out. */
  readonly items?: readonly string[] | undefined;
  /** Only what is at or below this name in a tree, as `ls` prints it, with or without a leading slash. */
  readonly path?: string | undefined;
  readonly target: RestoreTarget;
  /** Only say what would be done. */
  readonly dryRun?: boolean;
}

/** One item that was restored, and was proved while it was. */
export interface RestoredItem {
  readonly name: string;
  /** Where it stands now: the folder, the dump's file, or the paths that were exchanged. */
  readonly paths: readonly string[];
  /** Regular files and their bytes that were written. */
  readonly files: number;
  readonly bytes: number;
  /** What was proved: `hashes`, `facts`, in words. */
  readonly proof: string;
  /** What could not be set on the target's file system: attributes, ACLs. */
  readonly warnings: readonly string[];
}

/** What would be, or was, done; each line says one thing in words. */
export interface RestoreReport {
  /** Null for a dry run, which is not recorded. */
  readonly run: string | null;
  /** `partial`: the point holds nothing of an item that was asked for, see `missing`, or not all of it, see `warnings`.
   *  A failure throws. */
  readonly outcome: 'passed' | 'partial';
  readonly dryRun: boolean;
  readonly service: string;
  readonly point: { readonly id: string; readonly repository: string; readonly timestamp: Temporal.Instant };
  readonly target: RestoreTarget;
  readonly items: readonly RestoredItem[];
  /** Items of the point whose backup had failed. */
  readonly missing: readonly string[];
  /** With `--overwrite`: files that were there and were replaced, or were left as they are. */
  readonly replaced: number;
  readonly skipped: number;
  /** In place: under which path or name of a database the present state is kept, and until when. */
  readonly kept: readonly KeptAside[];
  /** In place: the id of the safety point, when one had to be made. */
  readonly safetyPoint: string | null;
  /** What will be done (`--dry-run`, the wizard's preview), in sentences. */
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  readonly durationMs: number;
}
