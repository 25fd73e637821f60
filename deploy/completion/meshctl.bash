# Bash completion of meshctl. Install as /usr/share/bash-completion/completions/meshctl, or source it.

_meshctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command="" sub="" index
    local commands="keygen status get post patch delete map localise account cluster tenant connector history policy secret send workers events trace config pivot product component"
    local common="--url --user --password-file --cacert --context --json --help"
    COMPREPLY=()

    case $before in
        --password-file | --new-password-file | --cacert | --file | --config | --state | --key | --operator | --value-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --role)
            mapfile -t COMPREPLY < <(compgen -W "Administrator Operator ReadOnly" -- "$word")
            return ;;
        --url | --user | --context | --tenant | --prefix | --minutes | --messages-per-second | --bytes-in-flight | --stored-events | --connectors | --generation | --resource | --since | --until | --payload | --version | --timeout | --host | --uri | --as | --content-type | -H | --header | --to | --from | --topic | --connector | --follows | --password-secret)
            return ;;
    esac

    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
            -*) ;;
            *)
                case ${COMP_WORDS[index-1]} in
                    --url | --user | --context | --password-file | --cacert | --payload | --tenant | --version | --timeout | --follows) continue ;;
                esac
                if [ -z "$command" ]; then command=${COMP_WORDS[index]}; else sub=${COMP_WORDS[index]}; break; fi ;;
        esac
    done

    local options=$common
    case $command in
        "") options="$commands $common" ;;
        keygen) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        map) options="--reverse --prefix --host --help" ;;
        localise) options="--reverse --prefix --host --uri --as --content-type --help" ;;
        account)
            case $sub in
                "") options="add list remove password" ;;
                list) options="$common --file" ;;
                remove) options="$common --file" ;;
                password) options="$common --file --new-password-file" ;;
                *) options="$common --role --tenant --new-password-file --password-change-required --file" ;;
            esac ;;
        cluster)
            case $sub in
                "") options="members transfer remove join init break-glass recover backup restore" ;;
                members | transfer | remove) options="$common" ;;
                break-glass) options="--config --state --key --witness --minutes --help" ;;
                recover) options="--config --state --key --witness --yes --help" ;;
                backup) mapfile -t COMPREPLY < <(compgen -f -W "$common --force" -- "$word"); return ;;
                restore)
                    mapfile -t COMPREPLY < <(compgen -f -W "--config --state --key --force --generation --json --help" -- "$word")
                    return ;;
                *) options="$common --config --state --key --witness" ;;
            esac ;;
        tenant)
            case $sub in
                "") options="add list quota database remove" ;;
                add | quota) options="$common --messages-per-second --bytes-in-flight --stored-events --connectors" ;;
                remove) options="$common --force" ;;
                database) options="$common --password-secret sqlite postgresql://" ;;
                *) options="$common" ;;
            esac ;;
        connector)
            case $sub in
                "") options="add list cancel revoke rotate remove import" ;;
                add) options="$common --tenant --prefix --minutes" ;;
                rotate) options="$common --tenant --cancel" ;;
                import) mapfile -t COMPREPLY < <(compgen -f -W "$common" -- "$word"); return ;;
                *) options="$common" ;;
            esac ;;
        config)
            case $sub in
                "") options="apply get diff history remove" ;;
                *) mapfile -t COMPREPLY < <(compgen -f -W "$common --tenant --follows" -- "$word"); return ;;
            esac ;;
        pivot | product | component)
            case $sub in
                "") options="upload" ;;
                *) mapfile -t COMPREPLY < <(compgen -f -W "$common --tenant --follows" -- "$word"); return ;;
            esac ;;
        history)
            case $sub in
                "") options="audit" ;;
                *) options="$common --tenant --resource --since --until --verify --syslog --ids" ;;
            esac ;;
        events) options="$common --topic --connector --tenant --since --until --follow --ids" ;;
        send) options="$common --payload --tenant --version --type --all --wait --no-wait --timeout" ;;
        workers | trace) options=$common ;;
        policy)
            case $sub in
                "") options="allow revoke list" ;;
                list) options=$common ;;
                *) options="$common --tenant" ;;
            esac ;;
        secret)
            case $sub in
                "") options="keygen put list get grant revoke rotate remove" ;;
                keygen) options="--operator --json --help" ;;
                put) options="$common --tenant --operator --value-file --exact --to --accept-keys --absent" ;;
                get) options="$common --tenant --operator" ;;
                grant) options="$common --tenant --operator --to --accept-keys --absent" ;;
                revoke) options="$common --tenant --operator --from --accept-keys --absent" ;;
                rotate) options="$common --tenant --operator --value-file --exact --accept-keys --absent" ;;
                *) options="$common --tenant" ;;
            esac ;;
        get | post | patch | delete) options="$common --header --include /redfish/v1/" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _meshctl meshctl
