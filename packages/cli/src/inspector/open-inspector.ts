import { describeSystemError, monotonicNow } from '@tunnel/shared/node';
import { ExchangeRecorder } from '@tunnel/client/internal';
import { type Output, warn } from '../output/output.ts';
import type { InspectChoice } from '../values/port.ts';

const DEFAULT_PORT = 4040;

export interface Inspector extends AsyncDisposable {
  /** Where the clients of this process are to record what passes. */
  readonly recorder: ExchangeRecorder;
}

/**
 * Opens the inspector and tells its link. `choice`: what was asked for; undefined for a person on a terminal to have it. What
 * keeps it from opening is a warning only.
 */
export async function openInspector(
  choice: InspectChoice | undefined,
  output: Output,
  { version, bundleFolder }: { readonly version: string; readonly bundleFolder: URL },
): Promise<Inspector | undefined> {
  if (choice === 'off' || (choice === undefined && output.audience !== 'people')) return undefined;
  // Loaded here so that only those who use it wait for it.
  const [{ serveInspector }, { readPageFiles }] = await Promise.all([
    import('./inspector-server.ts'),
    import('./page-files.ts'),
  ]);
  const recorder = new ExchangeRecorder(Date.now() - monotonicNow());
  try {
    const files = await readPageFiles(bundleFolder);
    const { link, ...server } = await serveInspector({ port: choice ?? DEFAULT_PORT, recorder, files, version });
    if (output.audience === 'people') output.stdout.write(`inspector ${link}`);
    else output.log.info({ link }, 'inspector');
    return { recorder, ...server };
  } catch (error) {
    const reason = `there is no inspector: ${describeSystemError(error)}`;
    warn(output, reason, 'give another port with --inspect, or turn it off with --inspect off');
    return undefined;
  }
}
