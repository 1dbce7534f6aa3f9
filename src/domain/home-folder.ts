/** HOME, else what the system knows of this account, else `/`: an account that is no more than a number has none.
 *  @param ask os.homedir, which then throws */
export function homeFolder(environment: Readonly<Record<string, string | undefined>>, ask: () => string): string {
  if (environment.HOME) return environment.HOME;
  try {
    return ask() || '/';
  } catch {
    return '/';
  }
}
