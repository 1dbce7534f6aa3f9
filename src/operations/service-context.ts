import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { Unit } from '../ports/unit.ts';
import type { GuardContext } from './guard-context.ts';

/** What guard and rollback of a whole service reach beside those of a subvolume. */
export interface ServiceContext extends GuardContext {
  /** The pool in which a folder or file of this machine can be snapshotted where it lies: the declared one whose folder
   *  holds it, else one that is its folder alone. Null where the file system copies nothing without copying bytes, and
   *  for a mount point. @param path absolute, with no symbolic link in it */
  treePool(path: string, signal: AbortSignal): Promise<string | null>;
}

/** @throws ServiceNotFound */
export function serviceNamed(name: string, { services }: Pick<ServiceContext, 'services'>): ServiceDefinition {
  const service = services.get(name);
  if (service !== undefined) return service;
  throw new HoldfastError('ServiceNotFound', `The configuration has no service ${name}.`, name);
}

/** The declared units, in their order. */
export const unitsOfService = async (
  { units, host }: ServiceDefinition,
  context: Pick<ServiceContext, 'unit'>,
): Promise<readonly Unit[]> => Promise.all(unitReferencesOf(units, host).map((reference) => context.unit(reference)));
