/* Children of every kind, from a process that allocates all the time. Prints how each ended. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char **self;

static void churn(int rounds)
{
    void *kept[32] = {0};
    for (int i = 0; i < rounds; i++) {
        free(kept[i % 32]);
        kept[i % 32] = malloc((size_t)(i * 37 % 4000) + 1);
    }
    for (int i = 0; i < 32; i++)
        free(kept[i]);
}

static void ended(const char *name, pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        printf("%s: errno %d\n", name, errno);
    else
        printf("%s: exited %d status %d signal %d\n", name, WIFEXITED(status), WEXITSTATUS(status),
               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void *allocate(void *argument)
{
    churn(2000);
    return argument;
}

/* Threads in a child that has not allocated yet: the first of them finds out that the process is new. */
static int threaded_child(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, allocate, NULL))
            return 1;
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static void run(const char *name, int (*child)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child());
    ended(name, pid);
}

static int plain_child(void)
{
    churn(5000);
    return 3;
}

static int grandchild(void)
{
    churn(100);
    pid_t pid = fork();
    if (pid == 0) {
        churn(100);
        _exit(5);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    churn(100);
    return WEXITSTATUS(status);
}

static int exec_child(void)
{
    execl(self[0], self[0], "end", "6", NULL);
    return 127;
}

static int cloned_child(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        churn(1000);
        _exit(9);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    self = argv;
    if (argc > 2 && strcmp(argv[1], "end") == 0) {
        churn(1000);
        return atoi(argv[2]);
    }
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    for (int i = 0; i < rounds; i++) {
        churn(1000);
        run("fork", plain_child);
        run("grandchild", grandchild);
        run("exec", exec_child);
        run("clone", cloned_child);
        run("threads", threaded_child);
        pid_t pid = vfork();
        if (pid == 0) {
            execl(self[0], self[0], "end", "7", NULL);
            _exit(127);
        }
        ended("vfork", pid);
        pid = vfork();
        if (pid == 0)
            _exit(11);
        ended("vfork without exec", pid);
        char *arguments[] = {self[0], (char *)"end", (char *)"8", NULL};
        posix_spawn(&pid, self[0], NULL, NULL, arguments, environ);
        ended("posix_spawn", pid);
        printf("system %d\n", WEXITSTATUS(system("exit 4")));
    }
    return 0;
}
