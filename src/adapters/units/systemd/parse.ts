import type { UnitHealth, UnitState } from '../../../ports/unit.ts';
import type { PROPERTIES } from './args.ts';

/** What `systemctl show` tells of one unit (org.freedesktop.systemd1(5)). What a kind of unit lacks is empty. */
export type Shown = Readonly<Record<(typeof PROPERTIES)[number], string>>;

/** Lines `Name=value` in blocks, one for each unit, with an empty line between them. */
export const parseShown = (stdout: string): readonly Shown[] =>
  stdout
    .trim()
    .split(/\n\n+/)
    .map((block) => {
      const lines = block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
      return Object.fromEntries(lines) as Shown;
    });

export const words = (value: string | undefined): readonly string[] =>
  (value ?? '').split(' ').filter((word) => word !== '');

/** systemd(1), ActiveState: reloading and refreshing units run; `maintenance` is a mount that is checked. */
export function stateOf({ ActiveState }: Pick<Shown, 'ActiveState'>): UnitState {
  switch (ActiveState) {
    case 'active':
    case 'reloading':
    case 'refreshing':
      return 'active';
    case 'activating':
      return 'starting';
    case 'deactivating':
      return 'stopping';
    case 'failed':
      return 'failed';
    default:
      return 'inactive';
  }
}

/** `before`: how often it had been started again when it was last looked at; null at the first look. systemd knows no
 *  health of a unit beyond that it runs. */
export function healthOf(shown: Shown, before: number | null): UnitHealth {
  if (shown.SubState.startsWith('auto-restart')) return 'restarting';
  const state = stateOf(shown);
  if (state === 'starting') return 'starting';
  if (state !== 'active') return 'down';
  return before !== null && restartsOf(shown) > before ? 'restarting' : 'undeclared';
}

/** Since somebody last started it. */
export const restartsOf = ({ NRestarts }: Pick<Shown, 'NRestarts'>): number => Number(NRestarts || 0);
