# Bash completion of meshctl. Install as /usr/share/bash-completion/completions/meshctl, or source it.

_meshctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command="" sub="" index
    local commands="keygen status get post patch delete map localise account"
    local common="--url --user --password-file --cacert --json --help"
    COMPREPLY=()

    case $before in
        --password-file | --cacert | --file | --data-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --role)
            mapfile -t COMPREPLY < <(compgen -W "Administrator Operator ReadOnly" -- "$word")
            return ;;
        --url | --user | --prefix | --host | --uri | --as)
            return ;;
    esac

    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
            -*) ;;
            *)
                case ${COMP_WORDS[index-1]} in
                    --url | --user | --password-file | --cacert) continue ;;
                esac
                if [ -z "$command" ]; then command=${COMP_WORDS[index]}; else sub=${COMP_WORDS[index]}; break; fi ;;
        esac
    done

    local options=$common
    case $command in
        "") options="$commands $common" ;;
        keygen) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        map) options="--reverse --prefix --help" ;;
        localise) options="--reverse --prefix --host --uri --as --help" ;;
        account)
            case $sub in
                "") options="add list delete" ;;
                *) options="--role --password-file --file --help" ;;
            esac ;;
        get | post | patch | delete) options="$common /redfish/v1/" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _meshctl meshctl
