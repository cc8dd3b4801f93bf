;; An aggregate for tests, as small as it can be: the sum of the third column, an int64, and the first value of it. The
;; first value tells in which order accumulators are merged. Layouts are those of the canonical ABI.
(module
  (memory (export "memory") 16)
  (global $next (mut i32) (i32.const 4096))
  (data (i32.const 16) "sum")
  (data (i32.const 32) "first")
  ;; reads: column 2
  (data (i32.const 64) "\02\00\00\00")
  ;; two fields: name, length, type int64, not nullable
  (data (i32.const 96) "\10\00\00\00\03\00\00\00\01\00\00\00\20\00\00\00\05\00\00\00\01\00\00\00")
  ;; ok(shape): reads some([2]), accumulator, output, no retract
  (data (i32.const 1024)
    "\00\00\00\00\01\00\00\00\40\00\00\00\01\00\00\00\60\00\00\00\02\00\00\00\60\00\00\00\02\00\00\00\00\00\00\00")

  ;; Fresh memory is zero, and nothing is given back.
  (func $alloc (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (block $enough
      (loop $more
        (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.const 16)))
        (br $more)))
    (local.get $at))

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $alloc (local.get 3)))

  (func (export "weir:operator/aggregate@0.1.0#configure") (param i32 i32 i32 i32) (result i32)
    (i32.const 1024))

  ;; An int64 column without nulls.
  (func $column (param $at i32) (param $values i32) (param $count i32)
    (i32.store8 (local.get $at) (i32.const 1))
    (i32.store offset=4 (local.get $at) (local.get $values))
    (i32.store offset=8 (local.get $at) (local.get $count)))

  ;; Adds up the first column of each group, and takes the first value of the last column, which for rows is the same.
  (func $fold (param $groups i32) (param $bounds i32) (param $rows i32) (param $columns i32) (param $count i32)
    (result i32)
    (local $of i32) (local $last i32) (local $sums i32) (local $firsts i32)
    (local $group i32) (local $row i32) (local $end i32) (local $sum i64) (local $out i32) (local $answer i32)
    (local.set $of (i32.load offset=4 (local.get $columns)))
    (local.set $last
      (i32.load offset=4
        (i32.add (local.get $columns) (i32.mul (i32.sub (local.get $count) (i32.const 1)) (i32.const 36)))))
    (local.set $bounds (i32.sub (local.get $bounds) (i32.const 1)))
    (local.set $sums (call $alloc (i32.shl (local.get $bounds) (i32.const 3))))
    (local.set $firsts (call $alloc (i32.shl (local.get $bounds) (i32.const 3))))
    (block $done
      (loop $groups_left
        (br_if $done (i32.ge_u (local.get $group) (local.get $bounds)))
        (local.set $row (i32.load (i32.add (local.get $groups) (i32.shl (local.get $group) (i32.const 2)))))
        (local.set $end (i32.load offset=4 (i32.add (local.get $groups) (i32.shl (local.get $group) (i32.const 2)))))
        (i64.store (i32.add (local.get $firsts) (i32.shl (local.get $group) (i32.const 3)))
          (i64.load (i32.add (local.get $last) (i32.shl (local.get $row) (i32.const 3)))))
        (local.set $sum (i64.const 0))
        (block $summed
          (loop $rows_left
            (br_if $summed (i32.ge_u (local.get $row) (local.get $end)))
            (local.set $sum (i64.add (local.get $sum)
              (i64.load (i32.add (local.get $of) (i32.shl (local.get $row) (i32.const 3))))))
            (local.set $row (i32.add (local.get $row) (i32.const 1)))
            (br $rows_left)))
        (i64.store (i32.add (local.get $sums) (i32.shl (local.get $group) (i32.const 3))) (local.get $sum))
        (local.set $group (i32.add (local.get $group) (i32.const 1)))
        (br $groups_left)))
    (local.set $out (call $alloc (i32.const 72)))
    (call $column (local.get $out) (local.get $sums) (local.get $bounds))
    (call $column (i32.add (local.get $out) (i32.const 36)) (local.get $firsts) (local.get $bounds))
    ;; ok(batch); for `create`, an empty list of rejects behind it
    (local.set $answer (call $alloc (i32.const 24)))
    (i32.store offset=4 (local.get $answer) (local.get $bounds))
    (i32.store offset=8 (local.get $answer) (local.get $out))
    (i32.store offset=12 (local.get $answer) (i32.const 2))
    (local.get $answer))

  (func (export "weir:operator/aggregate@0.1.0#create") (param i32 i32 i32 i32 i32) (result i32)
    (call $fold (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))

  (func (export "weir:operator/aggregate@0.1.0#merge") (param i32 i32 i32 i32 i32) (result i32)
    (call $fold (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))

  (func (export "weir:operator/aggregate@0.1.0#retract") (param i32 i32 i32 i32 i32 i32) (result i32)
    unreachable)

  ;; What comes in goes out.
  (func (export "weir:operator/aggregate@0.1.0#finish") (param i32 i32 i32) (result i32) (local $answer i32)
    (local.set $answer (call $alloc (i32.const 24)))
    (i32.store offset=4 (local.get $answer) (local.get 0))
    (i32.store offset=8 (local.get $answer) (local.get 1))
    (i32.store offset=12 (local.get $answer) (local.get 2))
    (local.get $answer)))
