/**
 * Whether /proc is to be asked. Where another system has none the read fails, and that is all; but Windows takes it for a folder
 * of the current drive, which every user of the machine may make.
 */
export function hasProc(platform: NodeJS.Platform = process.platform): boolean {
  return platform !== 'win32' && platform !== 'darwin';
}
