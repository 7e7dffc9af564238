import type { Connection } from './connection.ts';

/** Has the browser save an HTTP archive as a file. */
export async function saveArchive(connection: Connection, path: string, name: string): Promise<void> {
  const text = JSON.stringify(await connection.json(path), undefined, 2);
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
