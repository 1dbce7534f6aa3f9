import type { UnitReference } from '../domain/unit-reference.ts';

export type { UnitReference };

/** `starting` and `stopping` are on their way: neither good nor bad yet (interface, section 10, line 18). */
export type UnitState = 'active' | 'inactive' | 'starting' | 'stopping' | 'failed';

/** `undeclared`: it runs, and says nothing about its health. `restarting`: it ends and is started again and again. */
export type UnitHealth = 'healthy' | 'undeclared' | 'starting' | 'unhealthy' | 'restarting' | 'down';

/** What one container runs. */
export interface Image {
  /** As the engine knows it: `sha256:…`. */
  readonly identity: string;
  /** The name by which the container was made of it: `immich:release`. */
  readonly reference: string;
  /** What the container is in its group, by which it can be made again: its Compose service. Its own name without one. */
  readonly member: string;
}

/** By the name of the container. */
export type Images = Readonly<Record<string, Image>>;

/** What is stopped and started around an operation. What every implementation owes (test/contracts/unit.ts proves it):
 *  - `stop` and `start` end when the unit is in that state, and may be repeated: stopping what is down and starting what
 *    runs is no error;
 *  - what `running` told before `stop`, given to `start`, is all that runs afterwards: a container of a project that was
 *    down stays down;
 *  - images that are kept outlive a clean-up of their engine (`docker image prune`), until exactly they are let go;
 *  - after an abort the unit is in a state that `state` tells.
 *  @throws UnitMissing, UnitFailed, ToolMissing, ProcessFailed; the reason of an aborted signal */
export interface Unit {
  /** For people and records, as `unitNameOf`. */
  readonly name: string;
  readonly reference: UnitReference;
  /** Whether {@link downMs} answers. */
  readonly tellsDowntime: boolean;
  /** Of a group: `active` while any of its members runs or is on its way to; never `failed` while one runs. */
  state(signal: AbortSignal): Promise<UnitState>;
  /** What has to be started again to be as before: stored in the journal before `stop`. Empty when all is down. */
  running(signal: AbortSignal): Promise<readonly string[]>;
  /** @param spared members, of those that `running` tells, which go on; none when left out */
  stop(signal: AbortSignal, spared?: ReadonlySet<string>): Promise<void>;
  /** Starts these members, which `running` told; all of the unit when null, none when empty. Does not wait until it is
   *  healthy.
   *  @param madeAfter members of a group that were made after this moment, and that what declares the group describes
   *  otherwise now, are made anew of it before they start; left out: all stay as they are
   *  @throws UnitFailed when it ends at once, or when one could not be made anew, which is then started as it is */
  start(members: readonly string[] | null, signal: AbortSignal, madeAfter?: Temporal.Instant): Promise<void>;
  /** For how long these members were down before they were last started, by the clock that also started them: the
   *  shortest, in milliseconds. From the end of a stop to the beginning of a start it is no less than these are apart,
   *  unless somebody started one in between. Null where it is not known, always where `tellsDowntime` is false. */
  downMs(members: readonly string[], signal: AbortSignal): Promise<number | null>;
  /** The worst of its members. Of what is down by `state`: `down`. */
  health(signal: AbortSignal): Promise<UnitHealth>;
  /** Processes of the unit, as the host numbers them: whoever has a file open can be told to be one of these. */
  processes(signal: AbortSignal): Promise<readonly number[]>;
  /** What the unit's containers were made of, whether they run or not; empty where there are none. */
  images(signal: AbortSignal): Promise<Images>;
  /** Keeps images under a label; those that it has already stay. @param label of `[a-z0-9-]` */
  keepImages(label: string, images: Images, signal: AbortSignal): Promise<void>;
  /** Lets go of what was kept under a label, and of nothing else. Nothing there is no error, nor is a unit that is gone.
   *  @throws UnitFailed when a container needs one and has no other name for it: it stays kept */
  releaseImages(label: string, signal: AbortSignal): Promise<void>;
  /** Makes those containers anew that are not of these images any more, or are gone, of what is kept under the label.
   *  What was made anew is down; volumes stay. A name that the images had then leads to them again.
   *  @param madeAfter as {@link start} takes it, before the images are looked at
   *  @throws Unsupported where a container cannot be made anew; UnitFailed */
  takeImagesBack(label: string, images: Images, signal: AbortSignal, madeAfter?: Temporal.Instant): Promise<void>;
  /** What may start it again while it is stopped: its active timers, sockets and paths by name. */
  starters(signal: AbortSignal): Promise<readonly string[]>;
}
