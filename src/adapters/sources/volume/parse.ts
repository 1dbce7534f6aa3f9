import * as z from 'zod';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Owner } from '../../../ports/owner.ts';
import { OWNER_LABEL } from './args.ts';

/** Docker Engine API 1.41, VolumeInspect; podman prints the same names. */
const volumesSchema = z.array(
  z.object({
    Name: z.string(),
    Driver: z.string(),
    Mountpoint: z.string(),
    CreatedAt: z.string().default(''),
    /** What the driver was told: for `local` as mount(8) is. */
    Options: z.record(z.string(), z.string()).nullish(),
  }),
);
export type InspectedVolume = z.infer<typeof volumesSchema>[number];

const unreadable = (what: string, cause?: unknown): HoldfastError =>
  new HoldfastError('ProcessFailed', `What \`${what}\` printed cannot be read.`, 'docker', { cause });

/** @throws ProcessFailed when it is not what an engine prints */
export function parseVolume(stdout: string): InspectedVolume {
  try {
    const [volume] = volumesSchema.parse(JSON.parse(stdout));
    if (volume !== undefined) return volume;
  } catch (cause) {
    throw unreadable('volume inspect', cause);
  }
  throw unreadable('volume inspect');
}

export const saysNoVolume = (stderr: string): boolean => /no such volume/i.test(stderr);

/** A container that a backup made to read a volume. */
export interface Reader {
  readonly id: string;
  readonly image: string;
  /** Null where the label does not say it. */
  readonly owner: Owner | null;
}

const ownerSchema = z.object({
  machine: z.string(),
  hostname: z.string(),
  boot: z.string(),
  pidNamespace: z.string(),
  pid: z.int(),
  startTime: z.string(),
});
const readersSchema = z.array(
  z.object({ Id: z.string(), Image: z.string(), Config: z.object({ Labels: z.record(z.string(), z.string()) }) }),
);

/** @throws ProcessFailed */
export function parseReaders(stdout: string): readonly Reader[] {
  try {
    return readersSchema.parse(JSON.parse(stdout)).map(({ Id, Image, Config }) => {
      const owner = ownerSchema.safeParse(jsonOrNull(Config.Labels[OWNER_LABEL] ?? ''));
      return { id: Id, image: Image, owner: owner.success ? owner.data : null };
    });
  } catch (cause) {
    throw unreadable('container inspect', cause);
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
