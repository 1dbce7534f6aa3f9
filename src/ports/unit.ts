/** Names a unit as plain data: it is stored in the journal, from which the unit is opened again after a crash. */
export type UnitReference =
  /** `user`: null for the system's manager, else the account whose own manager has the unit. */
  | { readonly kind: 'systemd'; readonly host: string; readonly unit: string; readonly user: string | null }
  | { readonly kind: 'container'; readonly host: string; readonly container: string }
  /** `file`: absolute path of the compose file; all containers of the project. */
  | { readonly kind: 'compose'; readonly host: string; readonly file: string };

/** `starting` and `stopping` are on their way: neither good nor bad yet (interface, section 10, line 18). */
export type UnitState = 'active' | 'inactive' | 'starting' | 'stopping' | 'failed';

/** `undeclared`: it runs, and says nothing about its health. `restarting`: it ends and is started again and again. */
export type UnitHealth = 'healthy' | 'undeclared' | 'starting' | 'unhealthy' | 'restarting' | 'down';

/** What is stopped and started around an operation. What every implementation owes (test/contracts/unit.ts proves it):
 *  - `stop` and `start` end when the unit is in that state, and may be repeated; stopping what is down is no error;
 *  - `stop` brings back what it stopped of a group: a container of a project that was down stays down;
 *  - after an abort the unit is in a state that `state` tells.
 *  @throws UnitMissing, UnitFailed, ToolMissing, ProcessFailed */
export interface Unit {
  /** For people and records: `jellyfin.service`, `container traefik`, `compose /opt/immich`. */
  readonly name: string;
  readonly reference: UnitReference;
  state(signal: AbortSignal): Promise<UnitState>;
  /** What has to be started again to be as before: stored in the journal before `stop`. */
  running(signal: AbortSignal): Promise<readonly string[]>;
  stop(signal: AbortSignal): Promise<void>;
  /** Starts these members, which `running` told; all of the unit when left out. Does not wait until it is healthy. */
  start(members: readonly string[] | null, signal: AbortSignal): Promise<void>;
  health(signal: AbortSignal): Promise<UnitHealth>;
  /** Processes of the unit, as the host numbers them: whoever has a file open can be told to be one of these. */
  processes(signal: AbortSignal): Promise<readonly number[]>;
  /** What the unit runs, to be taken back with it: image identities by container; empty where there are none. */
  images(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}
