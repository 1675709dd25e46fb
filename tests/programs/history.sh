# 200 commits with fixed dates, a merge, gc, fsck, a clone; prints the hashes.
git init -q -b main work
cd work
git config gc.auto 0
n=1
while [ $n -le 200 ]; do
    echo "line $n" >>"file$((n % 17))"
    mkdir -p "dir$((n % 5))"
    echo "content $n $((n * n))" >"dir$((n % 5))/file$n"
    git add -A
    GIT_AUTHOR_DATE="$((1600000000 + n)) +0000" GIT_COMMITTER_DATE="$((1600000000 + n)) +0000" git commit -q -m "Commit $n"
    n=$((n + 1))
done
export GIT_AUTHOR_DATE="1700000000 +0000" GIT_COMMITTER_DATE="1700000000 +0000"
git checkout -q -b side HEAD~50
echo side >side-file
git add side-file
git commit -q -m Side
git merge -q -m Merge main
git gc -q --aggressive
git fsck --strict --full 2>/dev/null
git rev-parse HEAD main 'HEAD^{tree}'
git log --stat --oneline | cksum
git diff HEAD~100 | cksum
git blame file3 | cksum
cd ..
git clone -q work copy 2>/dev/null
git -C copy rev-parse HEAD
