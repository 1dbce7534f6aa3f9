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
  Created: z.string().default(''),
  RestartCount: z.int().default(0),
  State: z.object({
    Status: z.string(),
    ExitCode: z.int().default(0),
    Error: z.string().default(''),
    OOMKilled: z.boolean().default(false),
    StartedAt: z.string().default(''),
    FinishedAt: z.string().default(''),
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
  reference: container.Config.Image,
  member,
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

/** The shortest time between an end and the start after it; null for one that never ended, or has ended since: of one
 *  that its engine started again the end is another one. */
export function downMsOf(containers: readonly Container[]): number | null {
  const times = containers.map(({ State, RestartCount }) =>
    RestartCount > 0 ? [null, null] : [State.FinishedAt, State.StartedAt].map(momentOf),
  );
  const down = times.map(([ended, started]) => (ended == null || started == null ? null : started - ended));
  const known = down.filter((one) => one !== null && one >= 0);
  return known.length === down.length && known.length > 0 ? Math.min(...(known as number[])) : null;
}

/** Whether one was started when the other ended, or not long before. In milliseconds. */
export function startedShortlyBefore(one: Container, ended: Container, withinMs: number): boolean {
  const [started, end] = [momentOf(one.State.StartedAt), momentOf(ended.State.FinishedAt)];
  return started !== null && end !== null && started > end - withinMs;
}

/** RFC 3339, in nanoseconds; the year 1 stands for never. In milliseconds since 1970. */
export function momentOf(text: string): number | null {
  try {
    const nanoseconds = Temporal.Instant.from(text).epochNanoseconds;
    return nanoseconds <= 0n ? null : Number(nanoseconds / 1000n) / 1000;
  } catch {
    return null;
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
