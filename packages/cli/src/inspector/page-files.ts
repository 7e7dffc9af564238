import { readFile } from 'node:fs/promises';

/** Without anything of any exchange: the script asks for that, with the token of the link. */
const DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tunnel inspector</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/inspector.css">
</head>
<body><div id="page"></div><script type="module" src="/inspector.js"></script></body>
</html>
`;

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** What the page is made of, by path. `folder`: where the command's bundle is. */
export async function readPageFiles(folder: URL): Promise<ReadonlyMap<string, PageFile>> {
  const text = (name: string): Promise<string> => readFile(new URL(name, folder), 'utf8');
  const [script, style] = await Promise.all([text('inspector.js'), text('inspector.css')]);
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', text: DOCUMENT }],
    ['/inspector.js', { type: 'text/javascript; charset=utf-8', text: script }],
    ['/inspector.css', { type: 'text/css; charset=utf-8', text: style }],
  ]);
}
