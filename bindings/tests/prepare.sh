# What both runtimes of the TypeScript suite need. Sourced by node/run and jsi/run, in this folder.
#
# `prepare FLAVOUR` sets: $fixtures, a folder that `fixtures` made; $scratch, an empty folder;
# $library, the library; $stripped, the same as it is shipped.
# `run_modes` calls `play MODE PART` as the words say.

prepare() { # node or jsi
    local flavour=$1 target
    target=${CARGO_TARGET_DIR:-$PWD/../../target}
    case $target in /*) ;; *) target=$(cd ../.. && pwd)/$target ;; esac

    fixtures=$target/bindings/fixtures
    ./fixtures "$fixtures"
    ../generate "$flavour" --out "generated/$flavour"
    library=${FINALMILE_LIBRARY:-$target/release/libfinalmile_ffi.so}

    # The lock file's own time would do, were it not the time of the checkout.
    if ! cmp --silent package-lock.json node_modules/.installed; then
        npm ci --silent --no-audit --no-fund --ignore-scripts
        cp package-lock.json node_modules/.installed
    fi

    mkdir -p "build/$flavour"
    stripped=$PWD/build/$flavour/libfinalmile_ffi.stripped
    strip -o "$stripped" "$library"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/cases" "$scratch/figures"
}

run_modes() { # [cases|figures] [part of a name]
    case ${1:-all} in
        cases | figures) play "$@" ;;
        all)
            local status=0
            play cases || status=1
            play figures || status=1
            return "$status"
            ;;
        *)
            echo "there are cases and figures, and no $1" >&2
            return 2
            ;;
    esac
}
