import { HoldfastError } from '../domain/errors.ts';
import type { Application } from './face.ts';

/** A plan that is configured and asks for what this version does not have is not an unknown one.
 *  @throws Unsupported for a plan over subvolumes */
export function refuseUnbuiltPlan(name: string | undefined, { loaded }: Application): void {
  const plan = name === undefined ? undefined : loaded?.configuration.plans?.[name];
  if (plan?.subvolumes !== undefined)
    throw new HoldfastError(
      'Unsupported',
      `${name} is a plan over subvolumes, which this version has not yet.`,
      `${name}`,
    );
}
