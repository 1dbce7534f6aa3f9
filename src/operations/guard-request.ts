import type { GuardSettings } from '../domain/guard.ts';

export interface GuardRequest {
  readonly subvolume: string;
  /** As it was typed. */
  readonly operation: string;
  readonly autoRollback: boolean;
  /** Null: as configured. */
  readonly when: GuardSettings['when'] | null;
  /** False: the snapshot is made and nothing is run. */
  readonly execute: boolean;
}

export type GuardServiceRequest = Omit<GuardRequest, 'subvolume'> & { readonly service: string };
