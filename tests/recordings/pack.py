#!/usr/bin/env python3
"""Makes the archives beside this file from a folder with the recordings as they were made.

    tests/recordings/pack.py SOURCE     SOURCE has the folders healthy, broken and upstream

The same folders give the same bytes. README.md beside this file says what is left out, and why.
"""
import gzip, io, json, pathlib, re, sys, tarfile

HERE = pathlib.Path(__file__).parent
RECORDINGS = ('healthy', 'broken', 'upstream')
# istioctl failed on a flag: these outputs say nothing. Causes lie beside the archives, where they can be read.
LEFT_OUT = ('istioctl/describe/', 'istioctl/authz/', 'causes.json')
BODY = '(left out of the recording)'


def main(source):
    for name in RECORDINGS:
        root = pathlib.Path(source) / name
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob('*') if path.is_file()}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode='w', format=tarfile.USTAR_FORMAT) as archive:
            for path in sorted(files):
                if not path.startswith(LEFT_OUT):
                    add(archive, tarfile.TarInfo(path), cut(path, files[path]))
        target = HERE / f'{name}.tar.gz'
        target.write_bytes(compressed(packed.getvalue()))
        print(f'{target.name}: {target.stat().st_size / 1e6:.1f} MB')


def add(archive, entry, content):
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def compressed(content):
    return gzip.compress(content, compresslevel=9, mtime=0)


def cut(path, content):
    """One file without the texts that are Istio's and that nothing here reads."""
    if path.endswith('/customresourcedefinitions.json') and '/resources/' in path:
        return changed(content, lambda document: without_descriptions(document, False))
    if path.endswith('cluster/resources/api/v1/configmaps.json'):
        return changed(content, without_templates)
    if path.endswith('/debug/inject'):
        # A page that is the templates by name and nothing else.
        return changed(content, lambda page: page.update(dict.fromkeys(page, BODY)), indent=None)
    if path.startswith('bug-report/') and path.endswith('.tar.gz'):
        return bug_report(content)
    return content


def changed(content, change, indent=1):
    document = json.loads(content)
    change(document)
    return json.dumps(document, indent=indent, ensure_ascii=False).encode()


def without_descriptions(value, in_schema):
    """A property may itself be called `description`; it is then described by an object, not by a text."""
    if isinstance(value, dict):
        if in_schema and isinstance(value.get('description'), str):
            del value['description']
        for key, field in value.items():
            without_descriptions(field, in_schema or key == 'openAPIV3Schema')
    elif isinstance(value, list):
        for item in value:
            without_descriptions(item, in_schema)


def without_templates(maps):
    for item in maps['items']:
        if item['metadata']['name'].startswith('istio-sidecar-injector') and 'config' in item.get('data', {}):
            item['data']['config'] = lines_without_templates(item['data']['config'])


def lines_without_templates(text):
    """Injectors' configuration, with the names of their templates and without what they hold.

    By lines, not as YAML: in a bug report it stands inside of a long list, whose bytes should stay as they are.
    """
    kept, templates, skipped = [], None, None
    for line in text.split('\n'):
        indent = len(line) - len(line.lstrip())
        if skipped is not None and (not line.strip() or indent > skipped):
            continue
        skipped = None
        if templates is not None and line.strip() and indent <= templates:
            templates = None
        if re.fullmatch(r'\s*templates:', line):
            templates = indent
        kept.append(line)
        if templates is not None and re.fullmatch(r'\s+[\w-]+: \|-?', line):
            kept.append(' ' * (indent + 2) + BODY)
            skipped = indent
    return '\n'.join(kept)


def lines_without_descriptions(text):
    """The same as `without_descriptions`, for schemas inside of YAML."""
    kept, schema, skipped = [], None, None
    for line in text.split('\n'):
        indent = len(line) - len(line.lstrip())
        if skipped is not None and (not line.strip() or indent > skipped):
            continue
        skipped = None
        if schema is not None and line.strip() and indent <= schema:
            schema = None
        if line.strip() == 'openAPIV3Schema:':
            schema = indent
        if schema is not None and re.match(r'\s+description: ', line):
            skipped = indent
        else:
            kept.append(line)
    return '\n'.join(kept)


def bug_report(content):
    """The same archive, entry for entry, with the same cut as above in its lists, which are YAML."""
    rewritten = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as theirs:
        with tarfile.open(fileobj=rewritten, mode='w', format=tarfile.PAX_FORMAT) as ours:
            for entry in theirs:
                if not entry.isfile():
                    ours.addfile(entry)
                    continue
                data = theirs.extractfile(entry).read()
                if entry.name.endswith(('cluster/k8s-cluster-resources', 'cluster/k8s-resources')):
                    data = lines_without_descriptions(lines_without_templates(data.decode())).encode()
                add(ours, entry, data)
    return compressed(rewritten.getvalue())


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
