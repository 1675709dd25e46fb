# Pack with two threads and small blocks, unpack, compare; prints checksums of what was packed.
tar --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner --mode=644 --format=gnu -cf files.tar files
xz -T2 -3 --block-size=500KiB -k files.tar
cksum <files.tar
cksum <files.tar.xz
mkdir unpacked
xz -T2 -dc files.tar.xz | tar --mode=u+rwX -xf - -C unpacked --no-same-permissions --delay-directory-restore
for file in files/*; do cmp "$file" "unpacked/$file"; done
