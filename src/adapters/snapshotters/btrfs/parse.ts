/** One line of `btrfs subvolume list`: `ID 258 gen 7 cgen 7 top level 5 otime 2026-11-21 09:13:15 path snapshots/a-1`. */
export interface Listed {
  readonly id: string;
  /** The id of the subvolume that it lies in directly. */
  readonly top: string;
  /** From the top level of the file system. */
  readonly path: string;
  /** When it was made; null where the list does not say it. */
  readonly madeAt: Temporal.Instant | null;
  /** Null where the list does not say it. */
  readonly uuid: string | null;
}

const LINE = /^ID (\d+) .*?top level (\d+) (?:otime (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) )?(?:uuid (\S+) )?path (.*)$/;

/** @param printed with times in UTC */
export const parseList = (printed: string): readonly Listed[] =>
  printed.split('\n').flatMap((line) => {
    const [, id, top, date, time, uuid, path] = LINE.exec(line) ?? [];
    if (id === undefined || top === undefined || path === undefined) return [];
    const madeAt = date === undefined ? null : Temporal.Instant.from(`${date}T${time}Z`);
    return [{ id, top, path: path.replace(/^<FS_TREE>\//, ''), madeAt, uuid: uuid ?? null }];
  });

/** What `btrfs subvolume show` says of a subvolume. Times are in UTC. */
export function parseShow(printed: string): {
  readonly uuid: string;
  /** Of the subvolume that it was made of; null when it was made empty. */
  readonly parent: string | null;
  readonly madeAt: Temporal.Instant;
  readonly readOnly: boolean;
} {
  const [, uuid] = /^\s*UUID:\s+([0-9a-f-]{36})$/m.exec(printed) ?? [];
  const [, parent] = /^\s*Parent UUID:\s+([0-9a-f-]{36})$/m.exec(printed) ?? [];
  const [, date, time] = /^\s*Creation time:\s+(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) \+0000$/m.exec(printed) ?? [];
  if (uuid === undefined || date === undefined) throw new TypeError(`btrfs subvolume show printed:\n${printed}`);
  const readOnly = /^\s*Flags:.*\breadonly\b/m.test(printed);
  return { uuid, parent: parent ?? null, madeAt: Temporal.Instant.from(`${date}T${time}Z`), readOnly };
}

/** `0/258 16384 16384 …`: exclusive bytes by subvolume id. */
export const parseQuotas = (printed: string): ReadonlyMap<string, number> =>
  new Map(
    printed.split('\n').flatMap((line) => {
      const [, id, exclusive] = /^0\/(\d+)\s+\d+\s+(\d+)\b/.exec(line) ?? [];
      return id === undefined ? [] : [[id, Number(exclusive)] as const];
    }),
  );

export interface Room {
  /** From 0 to 1; the lesser of data's and metadata's, since either can end first. */
  readonly freeShare: number;
  /** For data. */
  readonly freeBytes: number;
}

/** What is left by `btrfs filesystem usage -b`: what is not allocated to data or metadata yet may become either. Null
 *  when it is not told, as to an account that is not root. */
export function parseUsage(printed: string): Room | null {
  const number = (label: string): number => Number(new RegExp(`^\\s*${label}:\\s+([0-9.]+)`, 'm').exec(printed)?.[1]);
  const size = number('Device size');
  const unallocated = number('Device unallocated');
  const reserve = number('Global reserve');
  /** Of all block groups of a type, as while they are converted to another profile. @returns [size, used] */
  const groups = (type: string): readonly [number, number] => {
    const rows = [...printed.matchAll(new RegExp(`^${type},\\w+: Size:(\\d+), Used:(\\d+)`, 'gm'))];
    const sum = (at: number): number => rows.reduce((total, row) => total + Number(row[at]), 0);
    return [sum(1), sum(2)];
  };
  if ([size, unallocated].some(Number.isNaN)) return null;
  const mixed = /^Data\+Metadata,/m.test(printed);
  const left = (type: string, ratio: number, reserved: number): { readonly free: number; readonly share: number } => {
    const [allocated, used] = groups(mixed ? 'Data\\+Metadata' : type);
    const free = Math.max(0, unallocated / ratio + allocated - used - reserved);
    const could = unallocated / ratio + allocated;
    return { free, share: could > 0 ? free / could : 0 };
  };
  const data = left('Data', number('Data ratio') || 1, 0);
  const metadata = left('Metadata', number('Metadata ratio') || 1, reserve || 0);
  return { freeShare: Math.min(data.share, metadata.share), freeBytes: Math.floor(data.free) };
}
