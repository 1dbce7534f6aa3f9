import { expect, test } from 'vitest';
import type { Validator } from '../../src/ports/validator.ts';

/** Something that can be made good and bad, and the validator that looks at it. */
export interface ValidatorFixture extends AsyncDisposable {
  readonly validator: Validator;
  /** It works; so it is when the fixture is made. */
  makeGood(): Promise<void>;
  /** It is broken, or something new went wrong. */
  makeBad(): Promise<void>;
  /** What the validator asks can no longer be asked; null for one to which no answer is an answer, too. */
  readonly blind: (() => Promise<void>) | null;
  /** What was changed by anybody, as another tool tells it: looking must leave it alone. */
  witness(): Promise<unknown>;
  /** What it says of something that became bad. */
  readonly bad: 'failed' | 'warning';
}

const never = (): AbortSignal => new AbortController().signal;

/** What a validator owes, whatever it looks at. */
export function validatorContract(name: string, fixture: () => Promise<ValidatorFixture>): void {
  test(`${name}: what works before and after has passed, however often it is looked at`, async () => {
    await using made = await fixture();
    const baseline = await made.validator.baseline(never());
    for (const _ of [1, 2])
      expect(await made.validator.verdict(baseline, never())).toMatchObject({ outcome: 'passed' });
  });

  test(`${name}: what became bad is told, in words`, async () => {
    await using made = await fixture();
    const baseline = await made.validator.baseline(never());
    await made.makeBad();
    const verdict = await made.validator.verdict(baseline, never());
    expect(verdict.outcome).toBe(made.bad);
    expect(verdict.detail).toMatch(/^[^\n]{3,}$/);
  });

  test(`${name}: what was bad before is no reason`, async () => {
    await using made = await fixture();
    await made.makeBad();
    const baseline = await made.validator.baseline(never());
    expect(['passed', 'warning']).toContain((await made.validator.verdict(baseline, never())).outcome);
  });

  test(`${name}: what was bad and became good has passed`, async () => {
    await using made = await fixture();
    await made.makeBad();
    const baseline = await made.validator.baseline(never());
    await made.makeGood();
    expect((await made.validator.verdict(baseline, never())).outcome).toBe('passed');
  });

  test(`${name}: without a baseline nothing bad is put down to the change`, async () => {
    await using made = await fixture();
    await made.makeBad();
    const untold = made.bad === 'warning' ? 'warning' : 'inconclusive';
    expect((await made.validator.verdict(null, never())).outcome).toBe(untold);
  });

  test(`${name}: what cannot be looked at never passes`, async () => {
    await using made = await fixture();
    const baseline = await made.validator.baseline(never());
    if (made.blind === null) return;
    await made.blind();
    const verdict = await made.validator.verdict(baseline, never()).catch(() => null);
    expect([undefined, 'inconclusive', ...(made.bad === 'warning' ? ['warning'] : [])]).toContain(verdict?.outcome);
    await expect(made.validator.baseline(never())).rejects.toThrow();
  });

  test(`${name}: looking changes nothing`, async () => {
    await using made = await fixture();
    const before = await made.witness();
    const baseline = await made.validator.baseline(never());
    await made.validator.verdict(baseline, never());
    expect(await made.witness()).toEqual(before);
  });

  test(`${name}: an aborted look rejects with the reason`, async () => {
    await using made = await fixture();
    const baseline = await made.validator.baseline(never());
    const aborted = AbortSignal.abort('stopped');
    await expect(made.validator.baseline(aborted)).rejects.toBe('stopped');
    await expect(made.validator.verdict(baseline, aborted)).rejects.toBe('stopped');
  });
}
