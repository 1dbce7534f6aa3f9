import { expect, test } from 'vitest';
import type { Unit } from '../../src/ports/unit.ts';

/** A unit that runs, and can be looked at by other means than itself. */
export interface UnitFixture extends AsyncDisposable {
  readonly unit: Unit;
  /** Members that run by another tool's word, sorted. */
  seen(): Promise<readonly string[]>;
  /** Members that run when the fixture is made, sorted; at least one. */
  readonly up: readonly string[];
  /** Members that belong to it and are down when the fixture is made. */
  readonly down: readonly string[];
  /** The same kind of unit under a name that nobody has. */
  readonly missing: Unit;
  /** What `health` says of it when it runs. */
  readonly health: 'healthy' | 'undeclared';
  /** Null for a unit that runs no images. */
  readonly images: ImagesFixture | null;
}

/** What happens to the images of a unit, by the engine's own tools. */
export interface ImagesFixture {
  /** A deployment: the name of the image leads to another one, and all that is up is made anew of that and runs. */
  change(): Promise<void>;
  /** The engine's clean-up: images without a name that nothing uses go. */
  prune(): Promise<void>;
  has(identity: string): Promise<boolean>;
  /** False where a container cannot be made anew by the unit. */
  readonly anew: boolean;
}

const never = (): AbortSignal => new AbortController().signal;

/** What a unit owes, whatever it is. */
export function unitContract(name: string, fixture: () => Promise<UnitFixture>): void {
  test(`${name}: a unit that was stopped and started is as before, and what was down stays down`, async () => {
    await using made = await fixture();
    expect(await made.seen()).toEqual(made.up);
    expect(await made.unit.state(never())).toBe('active');
    const running = await made.unit.running(never());
    expect(running).toHaveLength(made.up.length);
    await made.unit.stop(never());
    expect(await made.seen()).toEqual([]);
    expect(await made.unit.state(never())).toBe('inactive');
    expect(await made.unit.health(never())).toBe('down');
    expect(await made.unit.running(never())).toEqual([]);
    expect(await made.unit.processes(never())).toEqual([]);
    await made.unit.start(running, never());
    expect(await made.seen()).toEqual(made.up);
    expect(await made.unit.state(never())).toBe('active');
    expect(await made.unit.health(never())).toBe(made.health);
  });

  test(`${name}: it is told for how long it was down, where that is known`, async () => {
    await using made = await fixture();
    const running = await made.unit.running(never());
    await made.unit.stop(never());
    const from = performance.now();
    await made.seen();
    const apart = performance.now() - from;
    await made.unit.start(running, never());
    const down = await made.unit.downMs(running, never());
    if (!made.unit.tellsDowntime) return expect(down).toBeNull();
    expect(down).toBeGreaterThanOrEqual(apart - 1); // the engine's clock ticks in milliseconds of its own
  });

  test(`${name}: stopping what is down and starting what runs is no error`, async () => {
    await using made = await fixture();
    await made.unit.start(await made.unit.running(never()), never());
    expect(await made.seen()).toEqual(made.up);
    await made.unit.stop(never());
    await made.unit.stop(never());
    expect(await made.seen()).toEqual([]);
  });

  test(`${name}: a member that is spared goes on`, async () => {
    await using made = await fixture();
    if (made.unit.reference.kind === 'systemd') return; // it is one, and no server in a container
    const [spared = '', ...others] = await made.unit.running(never());
    await made.unit.stop(never(), new Set([spared]));
    expect(await made.unit.running(never())).toEqual([spared]);
    expect((await made.seen()).length).toBe(1);
    await made.unit.start([spared, ...others], never());
    expect(await made.seen()).toEqual(made.up);
  });

  test(`${name}: starting no member starts none`, async () => {
    await using made = await fixture();
    await made.unit.stop(never());
    await made.unit.start([], never());
    expect(await made.seen()).toEqual([]);
  });

  test(`${name}: all of it can be started`, async () => {
    await using made = await fixture();
    await made.unit.stop(never());
    await made.unit.start(null, never());
    expect(await made.seen()).toEqual([...made.up, ...made.down].toSorted());
  });

  test(`${name}: images that are kept outlive a clean-up of the engine, until exactly they are let go`, async () => {
    await using made = await fixture();
    const { unit, images } = made;
    const before = await unit.images(never());
    if (images === null) return expect(before).toEqual({});
    const [old = ''] = Object.values(before).map(({ identity }) => identity);
    await unit.keepImages('point-1', before, never());
    await unit.keepImages('point-1', before, never());
    await images.change();
    expect((await unit.images(never()))[made.up[0] ?? '']?.identity).not.toBe(old);
    await unit.releaseImages('point-2', never());
    await images.prune();
    expect(await images.has(old)).toBe(true);
    await unit.releaseImages('point-1', never());
    await unit.releaseImages('point-1', never());
    await images.prune();
    expect(await images.has(old)).toBe(false);
  });

  test(`${name}: what ran before a deployment runs of its images of then again`, async () => {
    await using made = await fixture();
    const { unit, images } = made;
    const [before, running] = [await unit.images(never()), await unit.running(never())];
    await unit.keepImages('point-3', before, never());
    await unit.takeImagesBack('point-3', before, never());
    expect(await made.seen()).toEqual(made.up); // nothing is made anew without need
    if (images === null) return;
    await images.change();
    await images.prune();
    await unit.stop(never());
    if (!images.anew) {
      const back = unit.takeImagesBack('point-3', before, never());
      return await expect(back).rejects.toMatchObject({ code: 'Unsupported' }); // before the fixture goes
    }
    await unit.takeImagesBack('point-3', before, never());
    expect(await made.seen()).toEqual([]);
    expect(await unit.images(never())).toMatchObject(before);
    await unit.start(running, never());
    expect(await made.seen()).toEqual(made.up);
    await unit.releaseImages('point-3', never());
  });

  test(`${name}: an aborted call changes nothing and rejects with the reason`, async () => {
    await using made = await fixture();
    const aborted = AbortSignal.abort('stopped');
    await expect(made.unit.stop(aborted)).rejects.toBe('stopped');
    expect(await made.seen()).toEqual(made.up);
    await made.unit.stop(never());
    await expect(made.unit.start(null, aborted)).rejects.toBe('stopped');
    expect(await made.seen()).toEqual([]);
  });

  test(`${name}: a unit that does not exist is UnitMissing for whatever is asked of it`, async () => {
    await using made = await fixture();
    const { missing } = made;
    const calls = [
      ...[missing.state(never()), missing.running(never()), missing.stop(never()), missing.start(null, never())],
      ...[missing.health(never()), missing.processes(never()), missing.images(never()), missing.starters(never())],
      ...[missing.keepImages('point', {}, never()), missing.takeImagesBack('point', {}, never())],
    ];
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toMatchObject({ code: 'UnitMissing', subject: missing.name });
    }
    await missing.releaseImages('point', never());
  });
}
