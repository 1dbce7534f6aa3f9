import * as z from 'zod';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Image, UnitHealth, UnitState } from '../../../ports/unit.ts';

/** Docker Engine API 1.41, ContainerInspect; podman prints the same names. Health is absent, or `none` or empty, where
 *  no check is declared. */
const containerSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  /** `sha256:…` */
  Image: z.string(),
  RestartCount: z.int().default(0),
  State: z.object({
    Status: z.string(),
    ExitCode: z.int().default(0),
    Error: z.string().default(''),
    OOMKilled: z.boolean().default(false),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.object({
    Image: z.string().default(''),
    Labels: z.record(z.string(), z.string()).nullish(),
    /** Seconds; null where neither the image nor the container says one. */
    StopTimeout: z.int().nullish(),
  }),
});

export type Container = z.infer<typeof containerSchema>;

/** @throws ProcessFailed when it is not what an engine prints */
export function parseContainers(stdout: string): readonly Container[] {
  try {
    return z.array(containerSchema).parse(JSON.parse(stdout));
  } catch (cause) {
    throw new HoldfastError('ProcessFailed', 'What `container inspect` printed cannot be read.', 'docker', { cause });
  }
}

/** @param member what it is in its group */
export const imageOf = (container: Container, member: string): Image => ({
  identity: container.Image.startsWith('sha256:') ? container.Image : `sha256:${container.Image}`,
  ...{ reference: container.Config.Image, member },
});

export const nameOf = ({ Name }: Container): string => Name.replace(/^\//, '');

/** A paused container runs: it has its files open. One that ended cannot be told from one that was stopped, unless the
 *  engine could not start it or had to kill it. */
export function stateOf({ State }: Container): UnitState {
  switch (State.Status) {
    case 'running':
    case 'paused':
      return 'active';
    case 'restarting':
      return 'starting';
    case 'removing':
    case 'stopping':
      return 'stopping';
    case 'dead':
      return 'failed';
    default:
      return State.Error !== '' || State.OOMKilled ? 'failed' : 'inactive';
  }
}

export const runs = (container: Container): boolean => ['active', 'starting'].includes(stateOf(container));

/** `before`: how often it had been started again when it was last looked at; null at the first look. */
export function healthOf(container: Container, before: number | null): UnitHealth {
  const { State, RestartCount } = container;
  if (State.Status === 'restarting') return 'restarting';
  if (stateOf(container) !== 'active') return 'down';
  if (before !== null && RestartCount > before) return 'restarting';
  const health = State.Health?.Status;
  return health === 'healthy' || health === 'unhealthy' || health === 'starting' ? health : 'undeclared';
}
