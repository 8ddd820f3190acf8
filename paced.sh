rm -f /tmp/rig/times; pid=$(cat /tmp/rig/pid); t(){ set -- $(sed 's/.*) //' /proc/$pid/stat); echo $((${12}+${13})); }; a=$(t)
taskset -c 1 h2load --h1 -t1 -c10 -m1 -D${1:-5} --rps=100 --log-file=/tmp/rig/times http://127.0.0.1:21000/${2:-1} >/dev/null
b=$(t); sort -n -k3 /tmp/rig/times | awk -v c=$((b-a)) -v d=${1:-5} '{v[NR]=$3} END{print "n="NR, "p50="v[int(NR*.5)]/1000, "p90="v[int(NR*.9)]/1000,"p99="v[int(NR*.99)]/1000, "p99.9="v[int(NR*.999)]/1000, "max="v[NR]/1000, "cpu%="c/d}'; awk '/VmRSS/{print "rss " int($2/1024)}' /proc/$pid/status
